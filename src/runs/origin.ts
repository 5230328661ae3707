import { isUuid } from "../ids.ts";
import type { Sql } from "../sql.ts";
import type { RunOrigin } from "./enqueue.ts";
import { getSigner } from "./signing.ts";

/** The header of every outgoing call by which we know, when it comes back to a webhook of ours, whose it is. */
export const originHeaderName = "tandem-origin";

/**
 * The header's value for a call of this run: `<run>.<workflow>.<depth>.<signature>`. Only what is signed by
 * this installation counts, so that nobody else can stop a chain, or make one look shorter than it is.
 */
export async function originHeader(
  sql: Sql,
  run: { readonly id: string; readonly workflowId: string; readonly depth: number },
): Promise<string> {
  const text = `${run.id}.${run.workflowId}.${run.depth}`;
  return `${text}.${(await getSigner(sql)).sign("origin", text)}`;
}

/** The run whose call a request is; undefined: it is none of ours. */
export async function readOrigin(sql: Sql, value: string | undefined): Promise<RunOrigin | undefined> {
  const [runId = "", workflowId = "", depth = "", signature = "", ...rest] = value?.split(".") ?? [];
  if (!isUuid(runId) || !isUuid(workflowId) || !/^\d{1,3}$/.test(depth) || rest.length > 0) return undefined;
  const signer = await getSigner(sql);
  if (!signer.verify("origin", `${runId}.${workflowId}.${depth}`, signature)) return undefined;
  return { runId, workflowId, depth: Number(depth) };
}
