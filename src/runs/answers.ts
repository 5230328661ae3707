import type { Sql } from "../sql.ts";
import { beginGated, commitGated, type RunKey } from "./ledger.ts";

/** What a run answers to the sender of its webhook. */
export interface RunAnswer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * Keeps what a step of a run answers; the first answer counts. `elsewhere`: another step has answered.
 * `nobody`: the run was not started by a webhook. Throws FencedError.
 */
export async function keepAnswer(
  sql: Sql,
  key: RunKey,
  { path, answer }: { path: string; answer: RunAnswer },
): Promise<"answered" | "elsewhere" | "nobody"> {
  const statement = beginGated(key);
  const p = statement.param;
  statement.with(
    "answer",
    `insert into tandem.run_answers (run_id, path, status, headers, body)
     select g.run_id, ${p(path, "text")}, ${p(answer.status, "integer")}, ${p(answer.headers, "jsonb")}, ${p(answer.text, "text")}
     from gate g join tandem.runs r on r.id = g.run_id where r.trigger->>'kind' = 'webhook' on conflict (run_id) do nothing`,
  );
  await commitGated(sql, statement);
  // A statement of its own: one that lost against another try does not see what that kept.
  const { rows: kept } = await sql.query<{ path: string }>({
    name: "answer_of_run",
    text: "select path from tandem.run_answers where run_id = $1::uuid",
    values: [key.runId],
  });
  if (kept[0] === undefined) return "nobody";
  return kept[0].path === path ? "answered" : "elsewhere";
}
