import type { StepKinds } from "../../activities/step-kind.ts";
import type { FinishedRuns } from "../../runs/finished.ts";
import type { SqlPool } from "../../sql.ts";
import type { Vault } from "../../vault/vault.ts";
import type { Metrics } from "../metrics.ts";

/** What webhooks are served with. */
export interface HookParts {
  readonly pool: SqlPool;
  readonly metrics: Metrics;
  readonly kinds: StepKinds;
  /** What every link starts with: some senders sign the whole address. */
  readonly publicUrl: string;
  readonly vault: Vault;
  /** For senders who are answered when the run is over. */
  readonly finished: FinishedRuns;
}
