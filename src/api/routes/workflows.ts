import { z } from "zod";
import { activateWorkflow, deactivateWorkflow } from "../../catalog/activation.ts";
import { createWorkflow, saveDraft, setSettings, type Catalog } from "../../catalog/drafts.ts";
import {
  getWorkflow,
  listVersions,
  listWorkflowKeys,
  listWorkflows,
  type Version,
  type Workflow,
} from "../../catalog/workflows.ts";
import { getObjects } from "../../crm/load-objects.ts";
import { listViewNames } from "../../crm/views.ts";
import { at as placeOf, ProblemError, type Issue } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { channels, ring } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import type { TriggerKinds } from "../../triggers/trigger-kind.ts";
import type { Workspace } from "../../workspace.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Answer, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery, paused } from "../schemas.ts";
import { describeTrigger, triggerDetailShape, type TriggerPlace } from "../trigger-details.ts";

const status = z.enum(["draft", "active", "inactive"]);
const definition = z
  .record(z.string(), z.unknown())
  .meta({ description: "As it was written. Its schema: /api/definition-schema" });
const document = z.unknown().meta({ description: "A definition, as JSON or YAML. Its schema: /api/definition-schema" });

const trigger = z.object({ id: z.string(), kind: z.string(), ...triggerDetailShape }).meta({ id: "Trigger" });

const version = z
  .object({
    id,
    number: z.int(),
    status: z.enum(["draft", "active", "archived"]),
    revision: z.int(),
    definition,
    createdAt: moment,
    updatedAt: moment,
    activatedAt: moment.nullable(),
  })
  .meta({ id: "Version" });

const summaryShape = {
  id,
  key: z.string(),
  name: z.string(),
  status,
  version: z.int().meta({ description: "Number of the newest version" }),
  template: z.string().nullable(),
  paused: paused.nullable().meta({ description: "Its triggers collect runs, which wait" }),
  createdAt: moment,
  updatedAt: moment,
};
const summary = z.object(summaryShape).meta({ id: "WorkflowSummary" });
const detail = z
  .object({
    ...summaryShape,
    definition: definition.nullable().meta({ description: "The active version's, else the draft's" }),
    draft: definition.optional(),
    settings: json,
    triggers: z.array(trigger),
  })
  .meta({ id: "Workflow" });

const activated = z
  .object({ ...detail.shape, warnings: z.array(z.object({ path: z.string(), message: z.string() })) })
  .meta({ id: "ActivatedWorkflow", description: "`warnings`: what is right, but may not be what was meant" });

const activation = z
  .strictObject({
    once: z.record(z.string(), z.string().nullable()).default({}).meta({
      description: "Of each step that is gone: the step that takes its place; null: its values are forgotten",
    }),
  })
  .default({ once: {} })
  .meta({ id: "Activation" });

export interface WorkflowParts {
  readonly pool: SqlPool;
  /** What every link starts with. */
  readonly publicUrl: string;
  readonly catalog: Pick<Catalog, "kinds" | "triggerKinds" | "quickLane">;
}

/** `/api/workflows`: what people design, their versions, and switching them on and off. */
export function workflowEndpoints({ pool, publicUrl, catalog }: WorkflowParts): Endpoint[] {
  const catalogOf = async (workspace: Workspace): Promise<Catalog> => ({
    ...catalog,
    workspaceId: workspace.id,
    objects: await getObjects(pool, workspace),
    views: await listViewNames(pool, workspace.id),
    workflows: await listWorkflowKeys(pool, workspace.id),
  });
  const answer = (workspace: Workspace, workflow: Workflow, status = 200) => ({
    status,
    headers: { etag: etagOf(workflow) },
    body: describe(workflow, { workspaceId: workspace.id, publicUrl }),
  });
  /** After a change of what is armed: those who carry triggers to Temporal look at once. */
  const rung = (answered: Answer): Answer => {
    ring(pool, channels.triggers);
    return answered;
  };
  const invalid = { 422: "The definition is not valid: `issues` names each fault with its place" };

  return [
    defineEndpoint({
      method: "get",
      path: "/api/workflows",
      tag: "Workflows",
      summary: "Workflows, oldest first",
      query: pageQuery,
      answers: { 200: pageOf(summary) },
      async handle({ workspace, query: { limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const found = await listWorkflows(pool, { workspaceId: workspace.id, limit: limit + 1, after });
        return { body: toPage(found.map(summarise), limit) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows",
      tag: "Workflows",
      summary: "Make a workflow with its first draft",
      yaml: true,
      body: document,
      answers: { 201: detail },
      refusals: { 409: "The key is taken", ...invalid },
      handle: async ({ workspace, body }) =>
        answer(workspace, await createWorkflow(pool, await catalogOf(workspace), body), 201),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/workflows/{id}",
      tag: "Workflows",
      summary: "One workflow",
      params: idParams,
      answers: { 200: detail },
      handle: async ({ workspace, params }) =>
        answer(workspace, await getWorkflow(pool, { workspaceId: workspace.id, workflowId: params.id })),
    }),
    defineEndpoint({
      method: "put",
      path: "/api/workflows/{id}/draft",
      tag: "Workflows",
      summary: "Save the draft",
      description:
        "With If-Match (the ETag of the workflow as it was read) a change by somebody else in between is refused with 412.",
      yaml: true,
      params: idParams,
      body: document,
      answers: { 200: detail },
      refusals: { 412: "The draft was changed since", ...invalid },
      async handle({ workspace, params, body, header }) {
        const revision = revisionOf(header("if-match"));
        return answer(
          workspace,
          await saveDraft(pool, await catalogOf(workspace), { workflowId: params.id, document: body, revision }),
        );
      },
    }),
    defineEndpoint({
      method: "put",
      path: "/api/workflows/{id}/settings",
      tag: "Workflows",
      summary: "Set values of the workflow's settings",
      description: "Those not named stay; null takes a value back, so that the definition's default holds.",
      params: idParams,
      body: z.record(z.string(), z.unknown()),
      answers: { 200: detail },
      refusals: { 422: "A value does not fit its setting" },
      async handle({ workspace, params, body }) {
        // What came through the gateway's JSON parser is JSON.
        const values = body as JsonObject;
        return rung(
          answer(workspace, await setSettings(pool, await catalogOf(workspace), { workflowId: params.id, values })),
        );
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/workflows/{id}/versions",
      tag: "Workflows",
      summary: "Every version, newest first",
      params: idParams,
      answers: { 200: z.object({ data: z.array(version), nextCursor: z.null() }) },
      async handle({ workspace, params }) {
        const data = await listVersions(pool, { workspaceId: workspace.id, workflowId: params.id });
        return { body: { data, nextCursor: null } };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/activate",
      tag: "Workflows",
      summary: "Activate the draft",
      description:
        "Checks it whole, arms its triggers and archives the version before. Runs that are under way keep theirs. Where a step is gone that was done once, `once` says where its values go.",
      params: idParams,
      body: activation,
      answers: { 200: activated },
      refusals: { 409: "There is nothing to activate", ...invalid },
      async handle({ workspace, params, body: { once } }) {
        const workflow = await activateWorkflow(pool, await catalogOf(workspace), { workflowId: params.id, once });
        const warnings = warningsOf(workflow, catalog.triggerKinds, workspace);
        const { body, ...rest } = answer(workspace, workflow);
        return rung({ ...rest, body: { ...body, warnings } });
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/workflows/{id}/deactivate",
      tag: "Workflows",
      summary: "Stop the workflow from starting",
      description: "Its webhooks answer 410. Runs that are under way go on.",
      params: idParams,
      answers: { 200: detail },
      refusals: { 409: "It is not active" },
      handle: async ({ workspace, params }) =>
        rung(answer(workspace, await deactivateWorkflow(pool, { workspaceId: workspace.id }, params.id))),
    }),
  ];
}

function newest({ draft, active }: Workflow): Version | null {
  return draft ?? active;
}

function summarise(workflow: Workflow) {
  const { id: workflowId, key, name, template, paused: pause, createdAt, updatedAt } = workflow;
  return {
    id: workflowId,
    key,
    name,
    status: workflow.status,
    version: newest(workflow)?.number ?? 0,
    template,
    paused: pause,
    createdAt,
    updatedAt,
  };
}

function describe(workflow: Workflow, place: Omit<TriggerPlace, "workflow">) {
  const { active, draft, settings, triggers } = workflow;
  return {
    ...summarise(workflow),
    definition: (active ?? draft)?.definition ?? null,
    ...(draft === null ? {} : { draft: draft.definition }),
    settings,
    triggers: triggers.map((each) => describeTrigger(each, { ...place, workflow })),
  };
}

/** What the kinds of the triggers say of how these are armed. */
function warningsOf({ triggers }: Workflow, kinds: TriggerKinds, { timeZone }: Workspace): Issue[] {
  return triggers.flatMap(({ kind, settings }, position) => {
    const at = placeOf("triggers", position);
    return kinds[kind]?.warn?.(settings, { timeZone, now: new Date(), at }) ?? [];
  });
}

/** Of the draft, else of the active version, whose definition a new draft would be made from. */
function etagOf({ draft, active }: Workflow): string {
  return `"${(draft ?? active)?.revision ?? 0}"`;
}

function revisionOf(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  const revision = /^\s*"(\d{1,9})"\s*$/.exec(ifMatch)?.[1];
  if (revision === undefined)
    throw new ProblemError(
      412,
      "draft-changed",
      "If-Match is not an ETag of this workflow. Read it again, and send its ETag.",
    );
  return Number(revision);
}
