import { createHash } from "node:crypto";
import { createId } from "../ids.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Sql, Statement } from "../sql.ts";
import { FencedError } from "../errors.ts";
import { beginGated, commitGated, type RunKey } from "./ledger.ts";

/** What is stored of a call to the outside, and where it stands. */
export interface OutsideCall {
  readonly key: string;
  /** With references in the place of secrets. */
  readonly request: Json;
  readonly progress: JsonObject;
  /** Whether it may be sent again where it was not answered. */
  readonly repeatable: boolean;
  /** An attempt began to send and no answer of the target is recorded. */
  readonly unsure: boolean;
}

/** One try at a call. */
export interface CallTry {
  readonly path: string;
  /** Number of the try: the mark of a later one is not an earlier one's to set or to clear. */
  readonly attempt: number;
}

/** The key of an outside call: the same for every attempt of a step in a run, and for no other. */
export function callKey(runId: string, path: string): string {
  return createHash("sha256").update(`${runId}\u0000${path}`).digest("hex").slice(0, 52);
}

export async function findCall(sql: Sql, runId: string, path: string): Promise<OutsideCall | undefined> {
  const { rows } = await sql.query<OutsideCall>({
    name: "find_call",
    text: `select key, request, progress, repeatable, sending_since is not null as unsure
      from tandem.outside_calls where run_id = $1::uuid and path = $2::text`,
    values: [runId, path],
  });
  return rows[0];
}

/** Stores what will be sent, before the first attempt, and gives it: another attempt's where that stored it first. */
export async function storeCall(
  sql: Sql,
  key: RunKey,
  { path, ...call }: { path: string } & Pick<OutsideCall, "key" | "request" | "repeatable">,
): Promise<OutsideCall> {
  const statement = beginGated(key);
  const p = statement.param;
  statement.with(
    "stored",
    `insert into tandem.outside_calls (run_id, path, id, key, request, repeatable)
     select g.run_id, ${p(path, "text")}, ${p(createId(), "uuid")}, ${p(call.key, "text")}, ${p(call.request, "jsonb")}, ${p(call.repeatable, "boolean")}
     from gate g on conflict (run_id, path) do nothing returning 1`,
  );
  const { rows } = await sql.query<{ open: boolean; stored: boolean }>(
    statement.query("select exists (select 1 from gate) as open, exists (select 1 from stored) as stored"),
  );
  if (rows[0]?.open !== true) throw new FencedError("The run is not open any more: nothing is sent for it.");
  const own = { ...call, progress: {}, unsure: false };
  return rows[0].stored ? own : ((await findCall(sql, key.runId, path)) ?? own);
}

/** What marking a call came to. */
export type Marked = "marked" | "in-doubt";

/**
 * Commits, before the bytes leave, that they are about to. `in-doubt`: an earlier try's mark stands, and the
 * call may not be repeated; nothing is sent then. Throws FencedError when the run is not open, or a later try
 * is at work: of two, the one that was stopped and goes on sends nothing.
 */
export async function markSending(sql: Sql, key: RunKey, { path, attempt }: CallTry): Promise<Marked> {
  const statement = beginGated(key);
  const p = statement.param;
  const number = p(attempt, "integer");
  statement.with(
    "call",
    `select c.run_id, c.path, c.attempt < ${number} as newest, c.sending_since is null or c.repeatable as free
     from tandem.outside_calls c, gate g where c.run_id = g.run_id and c.path = ${p(path, "text")} for update of c`,
  );
  statement.with(
    "marked",
    `update tandem.outside_calls c set sending_since = clock_timestamp(), attempt = ${number} from call
     where c.run_id = call.run_id and c.path = call.path and call.newest and call.free returning 1`,
  );
  const { rows } = await sql.query<{ open: boolean; doubt: boolean }>(
    statement.query(
      `select exists (select 1 from call where newest) as open,
         exists (select 1 from call where newest and not free) as doubt`,
    ),
  );
  if (rows[0]?.open !== true) throw new FencedError("The run is not open any more, or a later try is at work.");
  return rows[0].doubt ? "in-doubt" : "marked";
}

/** Commits what an attempt got through, or that it waits, which it may before it sends. */
export async function saveProgress(sql: Sql, key: RunKey, tried: CallTry, progress: JsonObject): Promise<void> {
  await changeCall(sql, key, tried, { as: "<=", set: (param) => `progress = ${param(progress)}` });
}

/** Commits that the target has answered: nothing is in doubt any more. */
export async function markAnswered(sql: Sql, key: RunKey, tried: CallTry): Promise<void> {
  await changeCall(sql, key, tried, { as: "=", set: () => "sending_since = null" });
}

/** What a person found out of a call that was not answered. */
export interface CallSettlement {
  readonly as: "done" | "not-done";
  readonly by: JsonObject;
  readonly note: string | null;
}

/** Keeps what a person found out of a step's call, if that is in doubt and nobody said so before. */
export async function settleCall(
  sql: Sql,
  { runId, path }: { runId: string | null; path: string | null },
  { as, by, note }: CallSettlement,
): Promise<void> {
  await sql.query(
    `update tandem.outside_calls set settled_as = $3::text, settled_at = now(), settled_by = $4::jsonb, note = $5::text
     where run_id = $1::uuid and path = $2::text and sending_since is not null and settled_at is null`,
    [runId, path, as, JSON.stringify(by), note],
  );
}

/** Adds to the statement that seals a step that its call was answered. */
export function addAnswered(statement: Statement, { path, attempt }: CallTry): void {
  const p = statement.param;
  statement.with(
    "answered",
    `update tandem.outside_calls c set sending_since = null from gate g
     where c.run_id = g.run_id and c.path = ${p(path, "text")} and c.attempt = ${p(attempt, "integer")}`,
  );
}

async function changeCall(
  sql: Sql,
  key: RunKey,
  { path, attempt }: CallTry,
  /** `as`: how the attempt of the last mark compares with this one. */
  { as, set }: { as: "=" | "<="; set: (param: (value: Json) => string) => string },
): Promise<void> {
  const statement = beginGated(key);
  const p = statement.param;
  statement.with(
    "changed",
    `update tandem.outside_calls c set ${set((value) => p(value, "jsonb"))} from gate g
     where c.run_id = g.run_id and c.path = ${p(path, "text")} and c.attempt ${as} ${p(attempt, "integer")}`,
  );
  await commitGated(sql, statement);
}
