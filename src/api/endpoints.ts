import type { HttpParts } from "../activities/http/exchange.ts";
import type { StepKinds } from "../activities/step-kind.ts";
import type { SqlPool } from "../sql.ts";
import type { TriggerKinds } from "../triggers/trigger-kind.ts";
import type { Vault } from "../vault/vault.ts";
import type { Audit } from "./audit.ts";
import type { Endpoint } from "./endpoint.ts";
import { admissionEndpoints } from "./routes/admission.ts";
import { alertEndpoints } from "./routes/alerts.ts";
import { apiKeyEndpoints } from "./routes/api-keys.ts";
import { auditEndpoints } from "./routes/audit.ts";
import { connectionTestEndpoints } from "./routes/connection-tests.ts";
import { connectionEndpoints } from "./routes/connections.ts";
import { deliveryEndpoints } from "./routes/deliveries.ts";
import { exportEndpoints } from "./routes/exports.ts";
import { importEndpoints } from "./routes/imports.ts";
import { launchEndpoints } from "./routes/launches.ts";
import { loopItemEndpoints } from "./routes/loop-items.ts";
import { mailboxEndpoints } from "./routes/mailbox.ts";
import { onceEndpoints } from "./routes/once.ts";
import { objectEndpoints } from "./routes/objects.ts";
import { questionEndpoints } from "./routes/questions.ts";
import { recordEventEndpoints } from "./routes/record-events.ts";
import { registryEndpoints } from "./routes/registries.ts";
import { runEndpoints } from "./routes/runs.ts";
import { scheduleEndpoints } from "./routes/schedules.ts";
import { scheduleWishEndpoints } from "./routes/schedule-wishes.ts";
import { secretEndpoints } from "./routes/secrets.ts";
import { stepListEndpoints } from "./routes/step-lists.ts";
import { viewEndpoints } from "./routes/views.ts";
import { webhookEndpoints } from "./routes/webhooks.ts";
import { workflowEndpoints } from "./routes/workflows.ts";
import { settingsEndpoints } from "./routes/workspace.ts";
import { workspaceEndpoints } from "./routes/workspaces.ts";

export interface EndpointParts {
  readonly pool: SqlPool;
  /** What every link starts with. */
  readonly publicUrl: string;
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
  /** Whether versions activated from now on use the quick lane. */
  readonly quickLane: boolean;
  readonly vault: Vault;
  readonly audit: Audit;
  /** What connections are tried with. */
  readonly http: HttpParts;
  /** Says that there are deliveries to replay. */
  readonly ringReplays?: (() => void) | undefined;
}

/** Every endpoint under /api, in the order in which the document shows them. */
export function createEndpoints(parts: EndpointParts): Endpoint[] {
  const { pool, publicUrl, kinds, triggerKinds, quickLane, vault } = parts;
  return [
    ...workflowEndpoints({ pool, publicUrl, catalog: { kinds, triggerKinds, quickLane } }),
    ...launchEndpoints({ pool, kinds }),
    ...scheduleEndpoints({ pool, kinds }),
    ...scheduleWishEndpoints(pool),
    ...runEndpoints(pool),
    ...stepListEndpoints(pool),
    ...loopItemEndpoints(pool),
    ...onceEndpoints(pool),
    ...questionEndpoints(pool),
    ...recordEventEndpoints(pool),
    ...admissionEndpoints(pool),
    ...deliveryEndpoints(parts),
    ...webhookEndpoints(parts),
    ...registryEndpoints({ kinds, triggerKinds }),
    ...objectEndpoints(pool),
    ...viewEndpoints(pool),
    ...importEndpoints(pool),
    ...exportEndpoints(pool),
    ...alertEndpoints(pool),
    ...settingsEndpoints(pool),
    ...apiKeyEndpoints({ pool, vault }),
    ...auditEndpoints(parts),
    ...secretEndpoints({ pool, vault }),
    ...connectionEndpoints(pool),
    ...connectionTestEndpoints(parts),
    ...workspaceEndpoints({ pool, vault, catalog: { kinds, triggerKinds, quickLane } }),
    ...mailboxEndpoints(pool),
  ];
}
