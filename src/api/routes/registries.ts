import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { listTemplates } from "../../catalog/templates.ts";
import { createDefinitionJsonSchema } from "../../definition/json-schema.ts";
import type { TriggerKinds } from "../../triggers/trigger-kind.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { json } from "../schemas.ts";

const whole = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item), nextCursor: z.null() });
const all = (data: unknown[]) => ({ body: { data, nextCursor: null } });

const stepKind = z
  .object({
    kind: z.string(),
    title: z.string(),
    description: z.string(),
    version: z.int(),
    queue: z.string(),
    timeoutMs: z.int(),
    retry: json,
    input: json,
    output: json,
    sample: json,
  })
  .meta({ id: "StepKind", description: "`input` and `output` are JSON Schemas" });
const triggerKind = z
  .object({
    kind: z.string(),
    title: z.string(),
    description: z.string(),
    settings: json,
    gives: z.array(z.string()),
    sample: json,
  })
  .meta({ id: "TriggerKind" });
const template = z
  .object({ id: z.string(), definition: json, readme: z.string(), samples: z.record(z.string(), json) })
  .meta({ id: "Template" });

export interface RegistryParts {
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
}

/** What there is to build with: kinds of steps and triggers, templates, the definition's schema. */
export function registryEndpoints({ kinds, triggerKinds }: RegistryParts): Endpoint[] {
  const schema = createDefinitionJsonSchema({ kinds, triggerKinds });
  return [
    defineEndpoint({
      method: "get",
      path: "/api/step-kinds",
      tag: "Registries",
      summary: "Every kind of step",
      answers: { 200: whole(stepKind) },
      handle: async () => all(Object.values(kinds).map(describeStepKind)),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/trigger-kinds",
      tag: "Registries",
      summary: "Every kind of trigger",
      answers: { 200: whole(triggerKind) },
      handle: async () =>
        all(
          Object.values(triggerKinds).map(({ kind, title, description, settings, gives, sample }) => ({
            kind,
            title,
            description,
            sample,
            settings: toSchema(settings, "input"),
            gives: Object.keys(gives(sample.settings)),
          })),
        ),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/definition-schema",
      tag: "Registries",
      summary: "JSON Schema of a whole definition",
      answers: { 200: json },
      handle: async () => ({ body: schema }),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/templates",
      tag: "Registries",
      summary: "Workflows that come with Tandem",
      answers: { 200: whole(template) },
      handle: async () =>
        all((await listTemplates()).map(({ document, ...rest }) => ({ ...rest, definition: document }))),
    }),
  ];
}

function describeStepKind({
  kind,
  title,
  description,
  version,
  queue,
  timeoutMs,
  retry,
  input,
  output,
  sample,
}: StepKinds[string]) {
  return {
    kind,
    title,
    description,
    version,
    queue,
    timeoutMs,
    retry,
    input: toSchema(input, "input"),
    output: toSchema(output, "output"),
    sample,
  };
}

function toSchema(schema: z.ZodType, io: "input" | "output"): unknown {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" });
}
