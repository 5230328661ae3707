import type { ReadKind, RecordKind, StepContext, StepOutcome } from "../../src/activities/step-kind.ts";
import type { JsonObject } from "../../src/json.ts";
import { createSeal, sealRows, type RunKey, type StepRow } from "../../src/runs/ledger.ts";
import type { Sealed } from "../../src/runs/seal.ts";
import { readListPages } from "../../src/runs/step-lists.ts";
import type { SqlPool } from "../../src/sql.ts";
import type { Crm } from "../crm/support.ts";
import { enqueue, insertWorkflow } from "../support/rows.ts";
import { plainContext } from "../support/step-context.ts";

/** Runs in which a test does steps by themselves, as a lane does them. */
export async function createRuns(pool: SqlPool, { workspace, objects }: Crm) {
  const workflow = { workspaceId: workspace.id, ...(await insertWorkflow(pool, workspace.id, "many")) };

  function contextOf({ runId, fence }: RunKey, { path = "step", sql = pool } = {}): StepContext {
    const { signal } = new AbortController();
    const run = { id: runId, workflowId: workflow.workflowId, workflowKey: "many", depth: 1 };
    return { ...plainContext, sql, workspace, objects, run, path, fence, signal };
  }

  const row = (path: string): Omit<StepRow, "output" | "status" | "outcome" | "verdict" | "endedAt"> => ({
    path,
    kind: "test",
    input: null,
    error: null,
    attempts: 1,
    attempt: null,
    lane: "ordinary",
    startedAt: new Date(),
  });

  return {
    workflow,
    contextOf,
    async start(): Promise<RunKey> {
      const runId = await enqueue(pool, workflow);
      await pool.query("update tandem.runs set status = 'running', started_at = now() where id = $1", [runId]);
      return { runId, fence: 1 };
    },
    /** Changes records, sealed with the change. */
    write(
      kind: RecordKind<unknown>,
      input: JsonObject,
      at: { key: RunKey; path?: string; sql?: SqlPool },
    ): Promise<Sealed> {
      const context = contextOf(at.key, at);
      return kind.run(context, kind.input.parse(input), createSeal(at.key, row(context.path)));
    },
    /** Reads; what it gives is not sealed yet. */
    read: (
      kind: ReadKind<unknown>,
      input: JsonObject,
      at: { key: RunKey; path?: string; sql?: SqlPool },
    ): Promise<StepOutcome> => kind.run(contextOf(at.key, at), kind.input.parse(input)),
    /** Seals an outcome as a step's result. */
    seal(key: RunKey, path: string, { output, outcome, lists = {} }: StepOutcome): Promise<void> {
      const done = { status: "done", verdict: { kind: "done" }, endedAt: new Date() } as const;
      return sealRows(pool, key, [{ ...row(path), ...done, output, outcome, lists }]);
    },
    /** The items of a list that is kept as pages. */
    async items(key: RunKey, list: { path: string; name: string; count: number }): Promise<unknown[]> {
      const items: unknown[] = [];
      for await (const page of readListPages(pool, { runId: key.runId, ...list })) items.push(...page.items);
      return items;
    },
  };
}
