import { ask } from "../../../src/activities/control/ask.ts";
import { respond } from "../../../src/activities/control/respond.ts";
import { runWorkflow } from "../../../src/activities/control/run-workflow.ts";
import { stop } from "../../../src/activities/control/stop.ts";
import { wait } from "../../../src/activities/control/wait.ts";
import type { StepKinds } from "../../../src/activities/step-kind.ts";
import type { Json, JsonObject } from "../../../src/json.ts";
import type { SqlPool } from "../../../src/sql.ts";
import type { TestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";

/** The kinds of steps that wait, ask, call, stop and answer. */
export const controlKinds: StepKinds = { wait, ask, "run-workflow": runWorkflow, stop, respond };

/** A definition that others can call. */
export function callable(key: string, steps: Json[], rest: JsonObject = {}): JsonObject {
  return {
    formatVersion: 1,
    key,
    name: key,
    triggers: [
      { id: "called", kind: "manual", inputs: { name: { type: "text", required: true }, count: { type: "number" } } },
    ],
    steps,
    ...rest,
  };
}

/** What tests of runs that wait look at. */
export function createLooks(pool: SqlPool, engine: Pick<TestEngine, "ring">) {
  const statusOf = async (runId: string): Promise<string | undefined> => {
    const { rows } = await pool.query<{ status: string }>("select status from tandem.runs where id = $1", [runId]);
    return rows[0]?.status;
  };
  const called = async (runId: string): Promise<Array<{ id: string; status: string; depth: number }>> => {
    const { rows } = await pool.query<{ id: string; status: string; depth: number }>(
      "select id, status, depth from tandem.runs where caller_run_id = $1 order by id",
      [runId],
    );
    return rows;
  };
  return {
    statusOf,
    waiting: (runId: string) => until(`run ${runId} to wait`, async () => (await statusOf(runId)) === "waiting"),
    /** Lets the moments come for which a run waits. */
    async pass(runId: string): Promise<void> {
      await pool.query("update tandem.waits set due_at = now() where run_id = $1 and until is not null", [runId]);
      await pool.query("update tandem.runs set due_at = now() where id = $1 and status = 'waiting'", [runId]);
      engine.ring();
    },
    /** Runs that a run has called, the oldest first. */
    called,
    firstCalled: (runId: string) => until(`run ${runId} to call another`, async () => (await called(runId))[0]),
  };
}
