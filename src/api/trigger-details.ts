import { z } from "zod";
import type { ArmedTrigger, Workflow } from "../catalog/workflows.ts";
import type { JsonObject } from "../json.ts";
import { launcherIdOf } from "../runs/launches/launcher-id.ts";

/** What is known where a trigger is told of. */
export interface TriggerPlace {
  readonly workflow: Workflow;
  readonly workspaceId: string;
  /** What every link starts with. */
  readonly publicUrl: string;
}

/** The keys beside `id` and `kind`, as the API's document describes them. */
export const triggerDetailShape = {
  url: z.string().optional().meta({ description: "Of a webhook: where requests go" }),
  method: z.string().optional().meta({ description: "Of a webhook" }),
  availability: z.string().optional().meta({ description: "Of a manual trigger: global, single or bulk" }),
  object: z.string().optional().meta({ description: "Of a manual trigger: whose records are selected" }),
  inputs: z
    .record(z.string(), z.unknown())
    .optional()
    .meta({ description: "Of a manual trigger: what whoever launches it is asked for" }),
  launcherId: z
    .string()
    .optional()
    .meta({ description: "Of a manual trigger: the workflow in Temporal that takes the signal `launch`" }),
};

/** What is told of a trigger besides its id and kind, by its kind; a kind that is not here has no more to tell. */
const detailsOf: Readonly<Record<string, (trigger: ArmedTrigger, place: TriggerPlace) => JsonObject>> = {
  webhook: ({ settings, token }, { publicUrl }) => ({
    ...pick(settings, ["method"]),
    ...(token === undefined ? {} : { url: `${publicUrl}/hooks/${token}` }),
  }),
  manual: ({ settings }, { workflow: { key, installation }, workspaceId }) => ({
    ...pick(settings, ["availability", "object", "inputs"]),
    launcherId: launcherIdOf({ installation, workspaceId, workflowKey: key }),
  }),
};

/** A trigger of an active version as the API tells of it. */
export function describeTrigger(trigger: ArmedTrigger, place: TriggerPlace): JsonObject {
  const { id, kind } = trigger;
  return { id, kind, ...(Object.hasOwn(detailsOf, kind) ? detailsOf[kind]?.(trigger, place) : {}) };
}

function pick(settings: JsonObject, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]])));
}
