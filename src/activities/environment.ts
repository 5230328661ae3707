import type { LoadedVersion } from "../catalog/versions.ts";
import type { Log } from "../log.ts";
import { getObjects } from "../crm/load-objects.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { RunKey } from "../runs/ledger.ts";
import type { SqlPool } from "../sql.ts";
import type { Vault } from "../vault/vault.ts";
import type { StepContext, StepKinds } from "./step-kind.ts";
import type { StepSecrets } from "./step-secrets.ts";

/** What the worker gives its activities. */
export interface Environment {
  readonly pool: SqlPool;
  readonly vault: Vault;
  readonly kinds: StepKinds;
  readonly log: Log;
  loadVersion(versionId: string): Promise<LoadedVersion>;
  /** Called after a run was closed or began to wait: a slot is free. */
  slotFreed(): void;
  /** Called after a step's change of records was committed: its events wait. */
  recordsChanged(): void;
}

/** A step's view of its run. A step of which `secrets` says nothing opens none. */
export async function createContext(
  { pool }: Environment,
  step: { run: LoadedRun; key: RunKey; path: string; signal: AbortSignal; secrets?: StepSecrets },
): Promise<StepContext> {
  const { workspace, workflowId, workflowKey, depth } = step.run;
  const { secrets } = step;
  return {
    sql: pool,
    workspace,
    objects: await getObjects(pool, workspace),
    run: { id: step.key.runId, workflowId, workflowKey, depth },
    path: step.path,
    fence: step.key.fence,
    signal: step.signal,
    openSecrets: secrets?.open ?? opensNone,
    conceal: secrets?.conceal ?? (() => {}),
    redact: secrets?.json ?? ((value) => value),
  };
}

function opensNone(): Promise<never> {
  return Promise.reject(new Error("Only steps that act outside, or run code, open secrets."));
}
