import { createHash } from "node:crypto";
import type { Json, JsonObject } from "../json.ts";
import type { Query, Sql } from "../sql.ts";
import { FencedError } from "../errors.ts";
import { beginGated, type RunKey } from "./ledger.ts";

/** What is stored of a call to the outside, and where it stands. */
export interface OutsideCall {
  readonly request: Json;
  readonly progress: JsonObject;
  /** An attempt began to send and no answer of the target is recorded. */
  readonly unsure: boolean;
}

/** The key of an outside call: the same for every attempt of a step in a run, and for no other. */
export function callKey(runId: string, path: string): string {
  return createHash("sha256").update(`${runId}\u0000${path}`).digest("hex").slice(0, 52);
}

export async function findCall(sql: Sql, runId: string, path: string): Promise<OutsideCall | undefined> {
  const { rows } = await sql.query<OutsideCall>({
    name: "find_call",
    text: `select request, progress, sending_since is not null as unsure from tandem.outside_calls where run_id = $1::uuid and path = $2::text`,
    values: [runId, path],
  });
  return rows[0];
}

/** Stores what will be sent, before the first attempt. Another attempt's, stored first, is kept. */
export async function storeCall(
  sql: Sql,
  key: RunKey,
  call: { path: string; key: string; request: Json },
): Promise<void> {
  const statement = beginGated(key);
  const p = statement.param;
  statement.with(
    "stored",
    `insert into tandem.outside_calls (run_id, path, key, request)
     select g.run_id, ${p(call.path, "text")}, ${p(call.key, "text")}, ${p(call.request, "jsonb")} from gate g
     on conflict (run_id, path) do nothing`,
  );
  await commitGated(sql, statement.query("select exists (select 1 from gate) as open"));
}

/** Commits, before the bytes leave, that they are about to. */
export async function markSending(sql: Sql, key: RunKey, path: string): Promise<void> {
  await changeCall(sql, key, path, () => "sending_since = clock_timestamp()");
}

/** Commits what an attempt got through. */
export async function saveProgress(sql: Sql, key: RunKey, path: string, progress: JsonObject): Promise<void> {
  await changeCall(sql, key, path, (param) => `progress = ${param(progress)}`);
}

/** Commits that the target has answered: nothing is in doubt any more. */
export async function markAnswered(sql: Sql, key: RunKey, path: string): Promise<void> {
  await changeCall(sql, key, path, () => "sending_since = null");
}

async function changeCall(
  sql: Sql,
  key: RunKey,
  path: string,
  set: (param: (value: Json) => string) => string,
): Promise<void> {
  const statement = beginGated(key);
  const place = statement.param(path, "text");
  statement.with(
    "changed",
    `update tandem.outside_calls c set ${set((value) => statement.param(value, "jsonb"))} from gate g where c.run_id = g.run_id and c.path = ${place}`,
  );
  await commitGated(sql, statement.query("select exists (select 1 from gate) as open"));
}

async function commitGated(sql: Sql, query: Query): Promise<void> {
  const { rows } = await sql.query<{ open: boolean }>(query);
  if (rows[0]?.open !== true) throw new FencedError("The run is not open any more: nothing is sent for it.");
}
