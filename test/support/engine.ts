import type { WorkerOptions } from "@temporalio/worker";
import { afterAll } from "vitest";
import { batchUpdateRecords } from "../../src/activities/batch-update-records.ts";
import { batchUpsertRecords } from "../../src/activities/batch-upsert-records.ts";
import { countRecords } from "../../src/activities/count-records.ts";
import { createRecord } from "../../src/activities/create-record.ts";
import { deleteRecord } from "../../src/activities/delete-record.ts";
import { pickRecord } from "../../src/activities/pick-record.ts";
import { searchRecords } from "../../src/activities/search-records.ts";
import type { StepKinds } from "../../src/activities/step-kind.ts";
import { updateRecord } from "../../src/activities/update-record.ts";
import { upsertRecord } from "../../src/activities/upsert-record.ts";
import { activateWorkflow } from "../../src/catalog/activation.ts";
import { createWorkflow, type Catalog } from "../../src/catalog/drafts.ts";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { readConfig } from "../../src/config.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import type { Objects } from "../../src/crm/objects.ts";
import { createWriter, type Writer } from "../../src/crm/operations.ts";
import { createWorkspaceSchema } from "../../src/crm/schema.ts";
import { createId } from "../../src/ids.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { addRuns } from "../../src/runs/enqueue.ts";
import { createStatement, inTransaction, type SqlPool } from "../../src/sql.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { startEngine, type Engine } from "../../src/worker/engine.ts";
import { installRuntimeLog } from "../../src/worker/runtime-log.ts";
import { connectTemporal, type TemporalLink } from "../../src/worker/temporal.ts";
import type { Workspace } from "../../src/workspace.ts";
import { workflowBundlePath } from "./bundle.ts";
import { testTemporal } from "./temporal.ts";
import { until } from "./until.ts";
import { createTestVault } from "./vault.ts";

export const recordKinds: StepKinds = {
  "create-record": createRecord,
  "update-record": updateRecord,
  "upsert-record": upsertRecord,
  "delete-record": deleteRecord,
  "search-records": searchRecords,
  "count-records": countRecords,
  "batch-upsert-records": batchUpsertRecords,
  "batch-update-records": batchUpdateRecords,
  "pick-record": pickRecord,
};

const log = createLog("test", "fatal");
// Once a process, before any connection.
installRuntimeLog(log);

/** A workspace with the standard objects. */
export interface TestWorkspace {
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly writer: Writer;
}

export async function createTestWorkspace(pool: SqlPool): Promise<TestWorkspace> {
  const id = createId();
  await inTransaction(pool, async (sql) => {
    const schemaName = `ws_${id.slice(-10)}`;
    await sql.query("insert into tandem.workspaces (id, name, schema_name) values ($1, 'Test', $2)", [id, schemaName]);
    await createWorkspaceSchema(sql, { id, schemaName });
  });
  const workspace = await loadWorkspace(pool, id);
  const objects = await getObjects(pool, workspace);
  return {
    workspace,
    objects,
    writer: createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } }),
  };
}

/** A finished run as the ledger has it. */
export interface FinishedRun {
  readonly id: string;
  readonly status: string;
  readonly error: JsonObject | null;
  readonly output: Json;
  readonly steps: {
    path: string;
    kind: string;
    status: string;
    outcome: string | null;
    input: Json;
    output: Json;
    error: Json;
    lane: string;
    attempts: number;
  }[];
}

/** Temporal workers, dispatcher and reconciler over a test's database; stopped after the file. */
export interface TestEngine extends TestWorkspace {
  /** Says that runs may be ready, or cancels asked for. */
  ring(): void;
  /** Says that triggers were armed, or switched on or off. */
  ringTriggers(): void;
  /** Starts the workers of an engine that was made `paused`. */
  resume(): Promise<void>;
  /** Ends the workers, as a process that is stopped does. */
  halt(): Promise<void>;
  readonly link: TemporalLink;
  readonly installation: string;
  /** Makes and activates a workflow. */
  activate(
    definition: JsonObject,
    options?: { quickLane?: boolean },
  ): Promise<{ workflowId: string; versionId: string }>;
  /** Enqueues a run of it, as a webhook with this body would. */
  enqueue(
    workflow: { workflowId: string; versionId: string },
    body: JsonObject,
    options?: { concurrency?: { key: string; limit: number }; settings?: JsonObject },
  ): Promise<string>;
  /** The run, when it is over. */
  finished(runId: string, limitMs?: number): Promise<FinishedRun>;
}

export async function startTestEngine(
  pool: SqlPool,
  options: {
    kinds?: StepKinds;
    overrides?: Partial<WorkerOptions>;
    paused?: boolean;
    recordsChanged?: () => void;
  } = {},
): Promise<TestEngine> {
  const { address, namespace, installation } = testTemporal();
  process.env["TEMPORAL_ADDRESS"] = address;
  const kinds = { ...recordKinds, ...options.kinds };
  const link = await connectTemporal(namespace);
  const config = readConfig({});
  const test = await createTestWorkspace(pool);
  const { workspace, objects } = test;
  const bundlePath = await workflowBundlePath();
  const { recordsChanged } = options;
  const rest = {
    ...(options.overrides === undefined ? {} : { overrides: options.overrides }),
    ...(recordsChanged === undefined ? {} : { recordsChanged }),
  };
  const vault = createTestVault(pool);
  const running: Engine[] = [];
  const resume = async (): Promise<void> => {
    running.push(
      await startEngine({
        pool,
        config,
        link,
        kinds,
        vault,
        installation,
        owner: createId(),
        log,
        bundlePath,
        ...rest,
      }),
    );
  };
  if (options.paused !== true) await resume();
  const halt = async (): Promise<void> => {
    for (const engine of running.splice(0)) await engine.stop();
  };
  afterAll(async () => {
    await halt();
    await link.connection.close();
  });
  const ring = (): void => running[0]?.ring();

  return {
    ...test,
    ring,
    ringTriggers: () => running[0]?.ringTriggers(),
    resume,
    halt,
    link,
    installation,
    async activate(definition, { quickLane = true } = {}) {
      const catalog: Catalog = { workspaceId: workspace.id, kinds, triggerKinds, objects, quickLane };
      const { id } = await createWorkflow(pool, catalog, definition);
      const active = await activateWorkflow(pool, catalog, id);
      return { workflowId: id, versionId: active.active!.id };
    },
    async enqueue(workflow, body, { concurrency, settings = {} } = {}) {
      const statement = createStatement();
      const id = createId();
      const trigger = { id: "form", kind: "webhook", body, headers: {}, query: {} };
      addRuns(statement, [
        {
          id,
          workspaceId: workspace.id,
          ...workflow,
          trigger,
          settings,
          ...(concurrency === undefined ? {} : { concurrency: { ...concurrency, scope: "workflow" } }),
        },
      ]);
      await pool.query(statement.query("select id from run"));
      ring();
      return id;
    },
    async finished(runId, limitMs = 30_000) {
      return until(`run ${runId} to be over`, () => findFinished(pool, runId), limitMs);
    },
  };
}

async function findFinished(pool: SqlPool, runId: string): Promise<FinishedRun | undefined> {
  const { rows } = await pool.query<Omit<FinishedRun, "steps">>(
    "select id, status, error, output from tandem.runs where id = $1 and ended_at is not null",
    [runId],
  );
  const run = rows[0];
  if (run === undefined) return undefined;
  const steps = await pool.query<FinishedRun["steps"][number]>(
    "select path, kind, status, outcome, input, output, error, lane, attempts from tandem.step_results where run_id = $1 order by ordinal",
    [runId],
  );
  return { ...run, steps: steps.rows };
}

/** A definition with one webhook trigger around these steps. */
export function definitionOf(key: string, steps: Json[], rest: JsonObject = {}): JsonObject {
  return { formatVersion: 1, key, name: key, triggers: [{ id: "form", kind: "webhook" }], steps, ...rest };
}
