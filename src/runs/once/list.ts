import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { settleCall } from "../outside-calls.ts";
import { holderColumns } from "./once-values.ts";
import { settleOnce, wakeOnce } from "./settle.ts";

/** A value under which something was done once, is being done, or may have been. */
export interface OnceEntry {
  readonly id: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly step: string;
  readonly value: string;
  readonly state: "held" | "unsure" | "done";
  /** The run whose it is, and its step's path there; null: a person said so, or the run is forgotten. */
  readonly runId: string | null;
  readonly path: string | null;
  readonly output: Json;
  readonly createdAt: string;
  readonly changedAt: string;
}

/** Which values; what is not given does not narrow. */
export interface OnceQuery {
  readonly workspaceId: string;
  readonly workflowId?: string | undefined;
  readonly step?: string | undefined;
  readonly value?: string | undefined;
  readonly state?: OnceEntry["state"] | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

type Row = Omit<OnceEntry, "createdAt" | "changedAt"> & { readonly createdAt: Date; readonly changedAt: Date };

/** A holder whose run is over holds nothing any more: it may have acted, or the value is free. */
const entries = `(select o.id, o.workspace_id, o.workflow_id as "workflowId", f.key as "workflowKey", o.step_id as step, o.value,
    case when o.state <> 'held' or h.open then o.state when h.doubtful then 'unsure' else 'free' end as state,
    o.run_id as "runId", o.path, o.output, o.created_at as "createdAt", o.changed_at as "changedAt"
  from tandem.once_values o join tandem.workflows f on f.id = o.workflow_id,
    lateral (select ${holderColumns}) h
  where o.workspace_id = $1::uuid and o.state <> 'free')`;

const entryColumns = `e.id, e."workflowId", e."workflowKey", e.step, e.value, e.state, e."runId", e.path, e.output, e."createdAt", e."changedAt"`;

/** A workspace's values, newest first. */
export async function listOnce(sql: Sql, query: OnceQuery): Promise<OnceEntry[]> {
  const { rows } = await sql.query<Row>({
    name: "list_once",
    text: `select ${entryColumns} from ${entries} e
      where e.state <> 'free' and ($2::uuid is null or e.id < $2) and ($3::uuid is null or e."workflowId" = $3)
        and ($4::text is null or e.step = $4) and ($5::text is null or e.value = $5) and ($6::text is null or e.state = $6)
      order by e.id desc limit $7::integer`,
    values: [
      query.workspaceId,
      query.before ?? null,
      query.workflowId ?? null,
      query.step ?? null,
      query.value ?? null,
      query.state ?? null,
      query.limit,
    ],
  });
  return rows.map(toEntry);
}

/** One of a workspace's values. Throws ProblemError 404. */
export async function getOnce(sql: Sql, { workspaceId, id }: { workspaceId: string; id: string }): Promise<OnceEntry> {
  return toEntry(await getRow(sql, { workspaceId, id }));
}

async function getRow(sql: Sql, { workspaceId, id }: { workspaceId: string; id: string }): Promise<Row> {
  const { rows } = await sql.query<Row>({
    name: "get_once",
    text: `select ${entryColumns} from ${entries} e where e.id = $2::uuid and e.state <> 'free'`,
    values: [workspaceId, id],
  });
  if (rows[0] !== undefined) return rows[0];
  throw new ProblemError(404, "once-not-found", `There is no value ${id} under which anything was done.`);
}

/** What becomes of a value by a person's word. */
export interface OnceChange {
  readonly as: "done" | "free";
  readonly output: Json;
  readonly by: JsonObject;
  readonly note: string | null;
}

/**
 * Makes a value done or free by a person's word: with an unsure one the call of unknown outcome is settled,
 * too. Throws ProblemError 404; 409 while a run is at it.
 */
export async function changeOnce(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
  { as, output, by, note }: OnceChange,
): Promise<OnceEntry> {
  const changed = await inTransaction(pool, async (sql) => {
    await sql.query("select 1 from tandem.once_values where workspace_id = $1::uuid and id = $2::uuid for update", [
      workspaceId,
      id,
    ]);
    const entry = await getRow(sql, { workspaceId, id });
    if (entry.state === "held")
      throw new ProblemError(
        409,
        "once-held",
        `Run ${entry.runId} is at it. Cancel the run, or wait until its step is over.`,
      );
    const settledAs = as === "done" ? "done" : "not-done";
    await settleOnce(sql, id, { as: settledAs, output });
    await settleCall(sql, entry, { as: settledAs, by, note });
    return entry;
  });
  await wakeOnce(pool, id);
  return toEntry({ ...changed, ...(as === "done" ? { state: "done", output } : {}) });
}

function toEntry(row: Row): OnceEntry {
  return { ...row, createdAt: row.createdAt.toISOString(), changedAt: row.changedAt.toISOString() };
}
