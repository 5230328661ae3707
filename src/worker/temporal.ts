import { Client, WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from "@temporalio/client";
import { defineSearchAttributeKey, SearchAttributeType, type SearchAttributePair } from "@temporalio/common";
import { loadClientConnectConfig } from "@temporalio/envconfig";
import { NativeConnection } from "@temporalio/worker";
import { z } from "zod";
import type { RunInput } from "../activities/contract.ts";
import type { LoadedVersion } from "../catalog/versions.ts";
import type { Admitted } from "../runs/admission.ts";
import type { Starter } from "../runs/dispatcher.ts";
import type { Witness, WorkflowState } from "../runs/reconciler.ts";

/** Search attributes of every run, all of type Keyword. */
export const searchAttributeNames = ["TandemWorkspace", "TandemWorkflow", "TandemTrigger", "TandemRecord"] as const;

/** A workflow task that failed this often in a row is not going to succeed by itself. */
const stuckAfterAttempts = 5;

export interface TemporalLink {
  readonly connection: NativeConnection;
  readonly client: Client;
  readonly namespace: string;
  readonly address: string;
}

/** Connects by the standard TEMPORAL_* variables. Throws when Temporal is not reachable. */
export async function connectTemporal(namespace: string): Promise<TemporalLink> {
  const { connectionOptions } = loadClientConnectConfig();
  const connection = await NativeConnection.connect(connectionOptions);
  const client = new Client({ connection, namespace });
  return { connection, client, namespace, address: connectionOptions.address ?? "localhost:7233" };
}

/** Which of our search attributes the namespace lacks: runs go on without those. */
export async function missingSearchAttributes({ connection, namespace }: TemporalLink): Promise<string[]> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return searchAttributeNames.filter((name) => !(name in (customAttributes ?? {})));
}

/** Starts runs as workflows and rings their doorbells. */
export function createStarter(parts: {
  link: TemporalLink;
  queuePrefix: string;
  searchAttributes: readonly string[];
  loadVersion(versionId: string): Promise<LoadedVersion>;
}): Starter {
  const { link, queuePrefix, searchAttributes, loadVersion } = parts;
  return {
    async start(run) {
      const { plan } = await loadVersion(run.versionId);
      const input: RunInput = { runId: run.runId, fence: run.fence, versionId: run.versionId, plan, queuePrefix };
      try {
        await link.client.workflow.start("run", {
          workflowId: run.runId,
          taskQueue: `${queuePrefix}-runs`,
          args: [input],
          // One that was started anew may follow a workflow that was ended for it, never one that came to its end.
          workflowIdReusePolicy: run.fence > 1 ? "ALLOW_DUPLICATE_FAILED_ONLY" : "REJECT_DUPLICATE",
          workflowIdConflictPolicy: "USE_EXISTING",
          memo: { fence: run.fence },
          requestEagerStart: true,
          priority: { fairnessKey: run.workspaceId },
          staticSummary: run.workflowName.slice(0, 200),
          typedSearchAttributes: attributesOf(run, searchAttributes),
        });
      } catch (error) {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      }
    },
    async ring(runId) {
      await link.client.workflow.getHandle(runId).signal("doorbell");
    },
  };
}

function attributesOf(run: Admitted, registered: readonly string[]): SearchAttributePair[] {
  const values = { TandemWorkspace: run.workspaceId, TandemWorkflow: run.workflowKey, TandemTrigger: run.triggerKind };
  return searchAttributesOf(run.recordId === null ? values : { ...values, TandemRecord: run.recordId }, registered);
}

/** Values of search attributes, as far as the namespace has them. */
export function searchAttributesOf(
  values: Partial<Record<(typeof searchAttributeNames)[number], string>>,
  registered: readonly string[],
): SearchAttributePair[] {
  return Object.entries(values)
    .filter(([name]) => registered.includes(name))
    .map(([name, value]) => ({ key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD), value }));
}

/** What a run's workflow is started with beside its argument; those of earlier releases have none of it. */
const memoSchema = z.object({ fence: z.number().optional() });

/** Asks Temporal about single workflows, by their ids. */
export function createWitness({ client }: TemporalLink): Witness {
  return {
    async describe(runId) {
      try {
        const { status, raw, memo } = await client.workflow.getHandle(runId).describe();
        const fence = memoSchema.parse(memo ?? {}).fence;
        if (status.name === "RUNNING")
          return { kind: "open", fence, stuck: (raw.pendingWorkflowTask?.attempt ?? 0) >= stuckAfterAttempts };
        return { kind: "closed", fence, as: endingOf(status.name) };
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return { kind: "not-found" };
        throw error;
      }
    },
    async cancel(runId) {
      await client.workflow.getHandle(runId).cancel();
    },
    async terminate(runId, reason) {
      await client.workflow.getHandle(runId).terminate(reason);
    },
  };
}

function endingOf(name: string): Extract<WorkflowState, { kind: "closed" }>["as"] {
  switch (name) {
    case "COMPLETED":
      return "completed";
    case "CANCELLED":
      return "cancelled";
    case "TERMINATED":
      return "terminated";
    case "TIMED_OUT":
      return "timed-out";
    default:
      return "failed";
  }
}

/** Whether Temporal answers now. */
export async function isTemporalUp({ connection }: TemporalLink): Promise<boolean> {
  try {
    await connection.withDeadline(Date.now() + 2_000, () => connection.workflowService.getSystemInfo({}));
    return true;
  } catch {
    return false;
  }
}
