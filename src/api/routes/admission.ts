import { z } from "zod";
import { pauseWorkflow, resumeWorkflow } from "../../catalog/pausing.ts";
import { workflowNotFound } from "../../catalog/workflows.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import { findWorkflowQueue, readQueues, type WorkflowQueue } from "../../runs/queues.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, paused } from "../schemas.ts";

const wait = z
  .number()
  .nullable()
  .meta({ description: "Seconds that the oldest run which wants a slot has waited; null: none does" });

const queue = z
  .object({
    workflowId: id,
    key: z.string(),
    name: z.string(),
    paused: paused.nullable(),
    queued: z.int().meta({ description: "Runs that were not started yet: `ready` and `blocked`" }),
    ready: z.int().meta({ description: "Runs that only lack a slot" }),
    blocked: z.int().meta({ description: "Runs that stand in line at their concurrency key" }),
    waiting: z.int().meta({ description: "Runs that wait for a moment and hold no slot" }),
    due: z.int().meta({ description: "Of those, the ones whose moment has come" }),
    oldestWaitSeconds: wait,
    held: z.int().meta({ description: "Slots that its runs hold" }),
    runIds: z.array(id).meta({ description: "The runs that hold them, the oldest hundred" }),
  })
  .meta({ id: "WorkflowQueue" });

const queues = z
  .object({
    limit: z.int().meta({ description: "Slots of the workspace: runs at work at once" }),
    held: z.int(),
    queued: z.int(),
    oldestWaitSeconds: wait,
    workflows: z.array(queue).meta({ description: "Those with open runs, and paused ones; the longest queue first" }),
  })
  .meta({ id: "Admission" });

/** `/api/admission`: what waits for a slot and who holds them; pausing workflows. */
export function admissionEndpoints(pool: SqlPool): Endpoint[] {
  async function getQueue(workspaceId: string, workflowId: string) {
    const found = await findWorkflowQueue(pool, { workspaceId, workflowId });
    if (found === undefined) throw workflowNotFound(workflowId);
    return describe(found);
  }
  return [
    defineEndpoint({
      method: "get",
      path: "/api/admission",
      tag: "Runs",
      summary: "What waits for a slot, how long, and who holds the slots",
      answers: { 200: queues },
      async handle({ workspace }) {
        const found = await readQueues(pool, workspace.id);
        return { body: { ...found, workflows: found.workflows.map(describe) } };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/pause",
      tag: "Workflows",
      summary: "Pause the workflow",
      description:
        "Its triggers go on to collect: webhooks answer 202, events and schedules queue runs. Its runs wait, those whose wait ends meanwhile too; those that hold a slot go on. Again, with another note: that one counts.",
      params: idParams,
      body: z.strictObject({ note: z.string().max(500).nullable().default(null) }).default({ note: null }),
      answers: { 200: queue },
      async handle({ workspace, params, body: { note } }) {
        await pauseWorkflow(pool, { workspaceId: workspace.id, workflowId: params.id, note });
        return { body: await getQueue(workspace.id, params.id) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/resume",
      tag: "Workflows",
      summary: "Let the workflow's runs go again",
      description: "What was collected meanwhile goes in its order. A workflow that is not paused stays as it is.",
      params: idParams,
      answers: { 200: queue },
      async handle({ workspace, params }) {
        await resumeWorkflow(pool, { workspaceId: workspace.id, workflowId: params.id });
        ringDispatcher(pool);
        return { body: await getQueue(workspace.id, params.id) };
      },
    }),
  ];
}

function describe({ paused: pause, ...rest }: WorkflowQueue) {
  return { ...rest, paused: pause && { ...pause, since: new Date(pause.since).toISOString() } };
}
