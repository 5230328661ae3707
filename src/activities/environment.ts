import type { LoadedVersion } from "../catalog/versions.ts";
import type { Log } from "../log.ts";
import { getObjects } from "../crm/load-objects.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { SqlPool } from "../sql.ts";
import type { StepContext, StepKinds } from "./step-kind.ts";

/** What the worker gives its activities. */
export interface Environment {
  readonly pool: SqlPool;
  readonly kinds: StepKinds;
  readonly log: Log;
  loadVersion(versionId: string): Promise<LoadedVersion>;
  /** Called after a run was closed or began to wait: a slot is free. */
  slotFreed(): void;
  /** Called after a step's change of records was committed: its events wait. */
  recordsChanged(): void;
}

/** A step's view of its run. */
export async function createContext(
  { pool }: Environment,
  step: { run: LoadedRun; runId: string; path: string; signal: AbortSignal },
): Promise<StepContext> {
  const { workspace, workflowId, workflowKey, depth } = step.run;
  return {
    sql: pool,
    workspace,
    objects: await getObjects(pool, workspace),
    run: { id: step.runId, workflowId, workflowKey, depth },
    path: step.path,
    signal: step.signal,
  };
}
