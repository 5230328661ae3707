import type { StepKinds } from "../../activities/step-kind.ts";
import type { Starting } from "../../catalog/triggers.ts";
import { loadVersion } from "../../catalog/versions.ts";
import { getObjects } from "../../crm/load-objects.ts";
import { recordJson, type CrmObject, type Objects } from "../../crm/objects.ts";
import { matchingSql } from "../../crm/selection.ts";
import { StepError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { createStatement, inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { workspaceColumns, type Workspace } from "../../workspace.ts";
import { describeRun, type Start } from "../describe-run.ts";
import { enqueueRuns, listPageSize } from "../enqueue.ts";
import { recordsOf } from "./selection.ts";

/** Runs of one launch that are queued at a time: enough to keep a workspace busy, few enough to harm nobody. */
export const mostQueued = 500;
/** Records of one transaction. */
const pageSize = listPageSize;
const mostMissingNamed = 20;

/** What came of a look at a launch. */
export type Expansion =
  /** There may be more records. */
  | "more"
  /** Enough of its runs are queued: the rest waits. */
  | "full"
  /** It is over. */
  | "over"
  /** Somebody else is at it, or it is over already. */
  | "passed";

interface Open {
  readonly id: string;
  readonly workflowId: string;
  readonly workspace: Workspace;
  readonly triggerId: string;
  readonly versionId: string;
  readonly settings: JsonObject;
  readonly inputs: JsonObject;
  readonly availability: "single" | "bulk";
  readonly object: string;
  readonly selection: JsonObject;
  readonly launchedBy: JsonObject;
  readonly cursor: string | null;
  readonly runId: string | null;
  readonly readCount: number;
}

interface Page {
  readonly ids: readonly string[];
  readonly records: readonly JsonObject[];
  readonly isLast: boolean;
}

/**
 * Takes the next records of a launch, in the order of their ids, and commits their runs (or, of a bulk
 * launch, their page of its list) together with how far it has come: each record is taken once, whatever
 * is killed. Records made after the launch are not its affair.
 */
export async function expandLaunch(pool: SqlPool, kinds: StepKinds, id: string): Promise<Expansion> {
  return inTransaction(pool, async (sql) => {
    const launch = await lockLaunch(sql, id);
    if (launch === undefined) return "passed";
    if (launch.availability === "single" && (await queuedRuns(sql, id)) > mostQueued - pageSize) {
      await sql.query("update tandem.launches set due_at = now() + interval '500 ms' where id = $1::uuid", [id]);
      return "full";
    }
    const objects = await getObjects(sql, launch.workspace);
    const object = objects.find(launch.object);
    if (object === undefined)
      throw new StepError(
        "unknown-object",
        `There is no object "${launch.object}" any more. Mend the workflow's trigger.`,
      );
    const page = await readPage(sql, { launch, objects, object });
    await noteMissing(sql, { launch, object, page });
    if (launch.availability === "single") await enqueueEach(sql, kinds, { launch, page });
    else await keepPage(sql, kinds, { launch, page });
    return page.isLast ? "over" : "more";
  });
}

/** Ends a launch that cannot go on. The list of a run that it will not make goes with it. */
export async function failLaunch(sql: Sql, id: string, error: StepError): Promise<void> {
  await sql.query(
    `with failed as (
        update tandem.launches set status = 'failed', error = $2::jsonb, ended_at = now()
        where id = $1::uuid and status = 'starting' returning run_id
      )
      delete from tandem.run_lists p using failed f where p.run_id = f.run_id`,
    [id, JSON.stringify({ code: error.code, message: error.message })],
  );
}

async function lockLaunch(sql: Sql, id: string): Promise<Open | undefined> {
  const { rows } = await sql.query<Open>({
    name: "lock_launch",
    text: `select l.id, l.workflow_id as "workflowId", ${workspaceColumns} as workspace, l.trigger_id as "triggerId",
        l.version_id as "versionId", l.settings, l.inputs, l.availability, l.object, l.selection, l.launched_by as "launchedBy",
        l.cursor_id as cursor, l.run_id as "runId", l.read_count as "readCount"
      from tandem.launches l join tandem.workspaces w on w.id = l.workspace_id
      where l.id = $1::uuid and l.status = 'starting' for update of l skip locked`,
    values: [id],
  });
  return rows[0];
}

async function queuedRuns(sql: Sql, id: string): Promise<number> {
  const { rows } = await sql.query<{ queued: number }>({
    name: "queued_runs_of_launch",
    text: `select count(*) as queued from (select 1 from tandem.runs
      where launched_by ->> 'launch' = $1::text and launched_by is not null and status = 'queued' limit ${mostQueued}) q`,
    values: [id],
  });
  return rows[0]?.queued ?? 0;
}

/** The next records after the cursor that match now and were there when it was launched; their times are in milliseconds. */
async function readPage(
  sql: Sql,
  { launch, objects, object }: { launch: Open; objects: Objects; object: CrmObject },
): Promise<Page> {
  const statement = createStatement();
  const matching = matchingSql(statement, await recordsOf(sql, { objects, object, selection: launch.selection }));
  const named =
    "ids" in launch.selection
      ? " and t.id = any(l.ids)"
      : " and t.created_at <= l.created_at + interval '1 millisecond'";
  const from = `from tandem.launches l join ${object.table} t on true where l.id = ${statement.param(launch.id, "uuid")}${named}`;
  const after = launch.cursor === null ? "" : ` and t.id > ${statement.param(launch.cursor, "uuid")}`;
  const { text, values } = statement.query(
    `select t.id, ${recordJson(object, "t")} as record ${from}${after} and ${matching} order by t.id limit ${pageSize + 1}`,
  );
  // Filters have as many shapes as launches: no name keeps their plans.
  const { rows } = await sql.query<{ id: string; record: JsonObject }>(text, values);
  const taken = rows.slice(0, pageSize);
  return {
    ids: taken.map((row) => row.id),
    records: taken.map((row) => row.record),
    isLast: rows.length <= pageSize,
  };
}

/** Counts ids that the page passed without finding a record. */
async function noteMissing(
  sql: Sql,
  { launch, object, page }: { launch: Open; object: CrmObject; page: Page },
): Promise<void> {
  if (!("ids" in launch.selection)) return;
  await sql.query(
    `update tandem.launches l set missing_count = l.missing_count + m.count,
       missing_ids = (l.missing_ids || m.ids)[1:${mostMissingNamed}]
     from (select count(*) as count, coalesce((array_agg(q.id order by q.id))[1:${mostMissingNamed}], '{}') as ids
       from tandem.launches s cross join unnest(s.ids) q(id)
       where s.id = $1::uuid and ($2::uuid is null or q.id > $2) and ($3::uuid is null or q.id <= $3)
         and not exists (select 1 from ${object.table} t where t.id = q.id and t.deleted_at is null)) m
     where l.id = $1::uuid and m.count > 0`,
    [launch.id, launch.cursor, page.isLast ? null : page.ids.at(-1)],
  );
}

async function enqueueEach(sql: Sql, kinds: StepKinds, { launch, page }: { launch: Open; page: Page }): Promise<void> {
  const starting = await startingOf(sql, kinds, launch);
  const { object, inputs } = launch;
  const runs = page.records.map((record) => describeRun(starting, start(launch, { object, record, inputs })));
  await enqueueRuns(sql, runs);
  await advance(sql, { launch, page, started: runs.length });
}

/** Of a bulk launch: keeps the page of the list, and with the last one enqueues the run. */
async function keepPage(sql: Sql, kinds: StepKinds, { launch, page }: { launch: Open; page: Page }): Promise<void> {
  const { object, inputs, runId, readCount } = launch;
  if (runId === null) throw new Error(`The launch ${launch.id} has no run.`);
  if (page.records.length > 0)
    await sql.query({
      name: "keep_launch_page",
      text: "insert into tandem.run_lists (run_id, name, page, items) values ($1::uuid, 'records', $2::integer, $3::jsonb)",
      values: [runId, Math.floor(readCount / pageSize), JSON.stringify(page.records)],
    });
  const count = readCount + page.records.length;
  if (page.isLast) {
    const trigger = { object, count, inputs };
    const how = { ...start(launch, trigger), id: runId, keptLists: { records: count } };
    await enqueueRuns(sql, [describeRun(await startingOf(sql, kinds, launch), how)]);
  }
  await advance(sql, { launch, page, started: page.isLast ? 1 : 0 });
}

function start({ triggerId, launchedBy }: Open, given: JsonObject): Start {
  return { trigger: { id: triggerId, kind: "manual", ...given }, priority: "manual", launchedBy };
}

async function startingOf(sql: Sql, kinds: StepKinds, launch: Open): Promise<Starting> {
  const { workspace, workflowId, versionId, settings } = launch;
  return { workspace, workflowId, settings, version: await loadVersion(sql, versionId, { kinds }) };
}

async function advance(
  sql: Sql,
  { launch, page, started }: { launch: Open; page: Page; started: number },
): Promise<void> {
  await sql.query({
    name: "advance_launch",
    text: `update tandem.launches set cursor_id = coalesce($2::uuid, cursor_id), read_count = read_count + $3::integer,
        started_count = started_count + $4::integer, due_at = now(),
        status = case when $5::boolean then 'started' else status end, ended_at = case when $5 then now() end,
        selected = case when $5 and ids is null then read_count + $3 else selected end, is_estimate = is_estimate and not $5
      where id = $1::uuid`,
    values: [launch.id, page.ids.at(-1) ?? null, page.ids.length, started, page.isLast],
  });
}
