import type { Ending } from "../definition/interpret.ts";
import { textOf, type JsonObject } from "../json.ts";
import type { Sql } from "../sql.ts";

type RunEnding = Exclude<Ending, { kind: "halted" }> | { readonly kind: "cancelled" };

/** How a run that is over ended, as its workflow says it; undefined: it is open. */
export async function findEnding(sql: Sql, runId: string): Promise<RunEnding | undefined> {
  const { rows } = await sql.query<{ status: string; error: JsonObject | null }>({
    name: "find_ending",
    text: "select status, error from tandem.runs where id = $1::uuid and ended_at is not null",
    values: [runId],
  });
  const [run] = rows;
  if (run === undefined) return undefined;
  const { status, error } = run;
  if (status === "completed" || status === "cancelled") return { kind: status };
  const code = textOf(error?.["code"]) ?? status;
  // What fails without lying at a path is the run's output.
  const path = textOf(error?.["path"]) ?? "output";
  if (code === "stopped") return { kind: "stopped", path, as: "failed" };
  return { kind: "failed", path, code, attempts: Number(error?.["attempts"] ?? 1) };
}
