import { isUuid } from "../ids.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { createStatement, type Sql, type Statement } from "../sql.ts";

/** What becomes of a run whose concurrency key has no room. */
export type WhenBusy = "queue" | "queue-latest" | "skip" | "replace";

/** A run to be: everything that starts a run describes it so. */
export interface NewRun {
  readonly id: string;
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly versionId: string;
  /** `{ id, kind, … }` and what the trigger gives; expressions read it as `trigger`. */
  readonly trigger: JsonObject;
  /** Values of the workflow's settings, kept as they are now. */
  readonly settings: JsonObject;
  /** Runs that share it go `limit` at a time. The scope says which workflows share it. */
  readonly concurrency?: {
    readonly key: string;
    readonly limit: number;
    readonly scope: "workflow" | "workspace";
    /** By default `queue`. */
    readonly whenBusy?: WhenBusy;
  };
  /** The run whose write or launch led to this one. */
  readonly origin?: RunOrigin | undefined;
  /** `called` and `manual` go before the others of its workflow. */
  readonly priority?: "called" | "manual" | "normal";
  /** The step of a run that started it: at most one for each step. */
  readonly caller?: {
    readonly runId: string;
    readonly path: string;
    /** It waits for this run's end. */
    readonly waits: boolean;
    /** It gives up its slot for this run. */
    readonly givesSlot: boolean;
  };
  /** The moment that its schedule meant. */
  readonly scheduledAt?: Date;
  /** Who launched it. */
  readonly launchedBy?: JsonObject;
  /** Lists below `trigger` that may be long, by name: kept in pages beside the run. */
  readonly lists?: { readonly [name: string]: readonly Json[] };
  /** The same of lists whose pages were kept before, under the run's id: how many items each has. */
  readonly keptLists?: { readonly [name: string]: number };
  /** Accepted, but it is over at once: stored under this status, with the reason. */
  readonly over?: { readonly status: "failed" | "skipped" | "stopped-as-loop"; readonly reason: RunReason };
}

export interface RunOrigin {
  readonly runId: string;
  readonly workflowId: string;
  readonly depth: number;
}

export interface RunReason {
  readonly code: string;
  readonly message: string;
}

/** Order within a workflow: lower goes first. Resumed runs go before those that are new. */
const priorities = { called: 0, manual: 1, normal: 2 } as const;
/** Items of a list in one row. */
export const listPageSize = 100;

/**
 * Adds the CTE `run`, which inserts runs: the one way in. It commits with whatever the statement records
 * beside it (a delivery, an event's history), and the caller answers after that commit, never before
 * (DURABILITY.md §1).
 */
export function addRuns(statement: Statement, runs: readonly NewRun[]): void {
  const rows = statement.param(runs.map(rowOf), "jsonb");
  statement.with(
    "run",
    `insert into tandem.runs (id, workspace_id, workflow_id, version_id, status, trigger, settings, origin, depth, priority,
       concurrency_key, concurrency_limit, when_busy, ready, error, scheduled_at, launched_by, list_names, record_id,
       caller_run_id, caller_path, caller_waits, inherits_slot, ended_at)
     select q.id, q."workspaceId", q."workflowId", q."versionId", coalesce(q.over, 'queued'), q.trigger, q.settings, q.origin,
       coalesce((q.origin ->> 'depth')::smallint + 1, 0), q.priority, q.key, q.limit, q."whenBusy", case when q.key is null then true end,
       q.reason, q."scheduledAt", q."launchedBy", q."listNames", q."recordId",
       q."callerRunId", q."callerPath", q."callerWaits", q."inheritsSlot", case when q.over is not null then clock_timestamp() end
     from jsonb_to_recordset(${rows}) as q(id uuid, "workspaceId" uuid, "workflowId" uuid, "versionId" uuid, trigger jsonb, settings jsonb,
       origin jsonb, priority smallint, key text, "limit" integer, "whenBusy" text, over text, reason jsonb,
       "scheduledAt" timestamptz, "launchedBy" jsonb, "listNames" text[], "recordId" uuid,
       "callerRunId" uuid, "callerPath" text, "callerWaits" boolean, "inheritsSlot" boolean)
     returning id`,
  );
  const lists = runs.flatMap(pagesOf);
  if (lists.length === 0) return;
  statement.with(
    "lists",
    `insert into tandem.run_lists (run_id, name, page, items)
     select q."runId", q.name, q.page, q.items
     from jsonb_to_recordset(${statement.param(lists, "jsonb")}) as q("runId" uuid, name text, page integer, items jsonb)`,
  );
}

/** Enqueues runs in one statement, inside the caller's transaction. The dispatcher is rung after its commit. */
export async function enqueueRuns(sql: Sql, runs: readonly NewRun[]): Promise<void> {
  if (runs.length === 0) return;
  const statement = createStatement();
  addRuns(statement, runs);
  await sql.query(statement.query("select 1"));
}

function rowOf(run: NewRun): JsonObject {
  const { concurrency, over, caller } = run;
  const handles = handlesOf(run);
  return {
    id: run.id,
    workspaceId: run.workspaceId,
    workflowId: run.workflowId,
    versionId: run.versionId,
    settings: run.settings,
    trigger: { ...run.trigger, ...handles },
    origin: run.origin === undefined ? null : { ...run.origin },
    priority: priorities[run.priority ?? "normal"],
    key: keyOf(run),
    limit: concurrency?.limit ?? null,
    whenBusy: concurrency?.whenBusy ?? "queue",
    over: over?.status ?? null,
    reason: over === undefined ? null : { ...over.reason },
    scheduledAt: run.scheduledAt?.toISOString() ?? null,
    launchedBy: run.launchedBy ?? null,
    listNames: Object.keys(handles).length === 0 ? null : Object.keys(handles),
    recordId: recordOf(run),
    callerRunId: caller?.runId ?? null,
    callerPath: caller?.path ?? null,
    callerWaits: caller?.waits ?? false,
    inheritsSlot: caller?.givesSlot ?? false,
  };
}

/** The record that its trigger gives: runs are found by it. */
function recordOf({ trigger: { record } }: NewRun): string | null {
  const id = isJsonObject(record) ? textOf(record["id"]) : undefined;
  return id !== undefined && isUuid(id) ? id : null;
}

/** The key as stored: two workflows share it only where the definition says so. */
export function keyOf({ concurrency, workflowId }: NewRun): string | null {
  if (concurrency === undefined) return null;
  const { key, scope } = concurrency;
  return scope === "workspace" ? `workspace:${key}` : `${workflowId}:${key}`;
}

/** What stands in the trigger for a list that is kept in pages. */
function handlesOf({ lists = {}, keptLists = {} }: NewRun): JsonObject {
  const given = Object.entries(lists).map(([name, items]) => [name, items.length] as const);
  return Object.fromEntries([...given, ...Object.entries(keptLists)].map(([name, count]) => [name, { count }]));
}

function pagesOf({ id: runId, lists }: NewRun): JsonObject[] {
  return Object.entries(lists ?? {}).flatMap(([name, items]) =>
    Array.from({ length: Math.ceil(items.length / listPageSize) }, (_, page) => ({
      runId,
      name,
      page,
      items: items.slice(page * listPageSize, (page + 1) * listPageSize),
    })),
  );
}
