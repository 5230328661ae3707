import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers, startingOf, type ArmedTrigger } from "../../catalog/triggers.ts";
import { StepError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { createStatement, inTransaction, sqlState, type Sql, type SqlPool } from "../../sql.ts";
import { manualSettings } from "../../triggers/manual.ts";
import { readInputs } from "../../triggers/manual/inputs.ts";
import { describeRun } from "../describe-run.ts";
import { ringDispatcher } from "../doorbell.ts";
import { addRuns, keyOf, type NewRun } from "../enqueue.ts";
import { beginGated, commitGated, lockOpen, type RunKey } from "../ledger.ts";
import { addWait, waitIdOf } from "../waits/open.ts";
import { findCalled, type CalledRun } from "./find.ts";

/** A step's call of another workflow. */
export interface Call {
  readonly workspaceId: string;
  readonly caller: {
    readonly id: string;
    readonly workflowId: string;
    readonly workflowKey: string;
    readonly depth: number;
  };
  readonly fence: number;
  readonly path: string;
  readonly beside: boolean;
  /** Key of the workflow. */
  readonly workflow: string;
  readonly inputs: JsonObject;
  /** Whether the step waits for the run's end. */
  readonly waits: boolean;
}

/**
 * Starts the run that a step calls, at most one for the step, however often it is tried: a called run that is
 * there is the answer. Where the step waits for it, the run gives it its slot and waits, in the same
 * transaction. Throws StepError for what the caller can mend, FencedError when its run is not open.
 */
export async function callWorkflow(pool: SqlPool, parts: { kinds: StepKinds }, call: Call): Promise<CalledRun> {
  const armed = await findCallable(pool, call);
  const run = describeRun(await startingOf(pool, parts, armed), {
    trigger: { id: armed.triggerId, kind: "manual", inputs: inputsOf(armed, call) },
    origin: { runId: call.caller.id, workflowId: call.caller.workflowId, depth: call.caller.depth },
    launchedBy: { kind: "workflow", key: call.caller.workflowKey, runId: call.caller.id },
    priority: "called",
  });
  if (call.waits) await refuseOwnKey(pool, call, run);
  try {
    await inTransaction(pool, (sql) => insertCalled(sql, call, run));
  } catch (error) {
    // Another try of the step was first.
    if (sqlState(error)?.constraint !== "runs_called") throw error;
  }
  ringDispatcher(pool);
  const called = await findCalled(pool, call.caller.id, call.path);
  if (called === undefined) throw new Error(`The run that ${call.path} of ${call.caller.id} called is not there.`);
  return called;
}

/** The manual trigger by which the workflow is called. */
async function findCallable(sql: Sql, { workspaceId, workflow }: Call): Promise<ArmedTrigger> {
  const { rows } = await sql.query<{ id: string; status: string }>({
    name: "find_called_workflow",
    text: "select id, status from tandem.workflows where workspace_id = $1::uuid and key = $2::text",
    values: [workspaceId, workflow],
  });
  const found = rows[0];
  if (found === undefined)
    throw new StepError("workflow-not-found", `There is no workflow "${workflow}". Create it, or name another.`);
  if (found.status !== "active")
    throw new StepError(
      "workflow-inactive",
      `The workflow "${workflow}" is not active: activate it, then run this again.`,
    );
  const armed = await findArmedTriggers(sql, { kind: "manual", workspaceIds: [workspaceId], workflowId: found.id });
  const callable = armed.find(({ trigger }) => manualSettings.parse(trigger).availability === "global");
  if (callable !== undefined) return callable;
  throw new StepError(
    "workflow-not-callable",
    `The workflow "${workflow}" has no manual trigger of availability global, by which others call it. Give it one.`,
  );
}

function inputsOf({ trigger }: ArmedTrigger, { workflow, inputs }: Call): JsonObject {
  const { values, issues } = readInputs(manualSettings.parse(trigger).inputs, inputs);
  if (issues.length === 0) return values;
  const faults = issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  throw new StepError("invalid-input", `The workflow "${workflow}" does not take these inputs. ${faults}.`);
}

/** A called run whose concurrency key the caller holds, or who waits for the caller, would wait for ever. */
async function refuseOwnKey(sql: Sql, { caller, workflow }: Call, run: NewRun): Promise<void> {
  const key = keyOf(run);
  if (key === null) return;
  const { rows } = await sql.query<{ id: string }>({
    name: "chain_holds_key",
    text: `with recursive chain(id, key, above) as (
        select r.id, r.concurrency_key, case when r.caller_waits then r.caller_run_id end from tandem.runs r where r.id = $1::uuid
        union all
        select r.id, r.concurrency_key, case when r.caller_waits then r.caller_run_id end from chain c join tandem.runs r on r.id = c.above
      ) select id from chain where key = $2::text limit 1`,
    values: [caller.id, key],
  });
  const holder = rows[0];
  if (holder === undefined) return;
  throw new StepError(
    "call-waits-for-itself",
    `"${workflow}" would wait for the concurrency key that run ${holder.id} holds until this call is over. ` +
      "Give the two different keys, or start it without waiting for it.",
  );
}

/** The run that is called, and what becomes of its caller: as one. Throws FencedError. */
async function insertCalled(sql: Sql, call: Call, run: NewRun): Promise<void> {
  const key: RunKey = { runId: call.caller.id, fence: call.fence };
  // No cancel comes between this and the commit.
  await lockOpen(sql, key);
  const isOver = run.over !== undefined;
  const parks = call.waits && !isOver && !call.beside;
  const statement = createStatement();
  const givesSlot = parks && run.concurrency === undefined;
  addRuns(statement, [
    { ...run, caller: { runId: key.runId, path: call.path, waits: call.waits && !isOver, givesSlot } },
  ]);
  await sql.query(statement.query("select 1"));
  if (!call.waits || isOver) return;
  const waiting = beginGated(key);
  const { path, beside } = call;
  const waitId = waitIdOf(path, "call");
  addWait(waiting, { path, waitId, kind: "call", until: "null::timestamptz", beside, fence: key.fence });
  await commitGated(sql, waiting);
}
