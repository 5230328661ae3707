import { z } from "zod";
import type { StepKinds } from "../activities/step-kind.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import type { TriggerKinds } from "../triggers/trigger-kind.ts";
import { conditionSchema, operators, recordConditionSchema } from "./conditions.ts";
import { createStepShapes, documentShape, idSchema, type StepDefinition } from "./schema.ts";

/** What may stand in a definition. */
interface Kinds {
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
}

/** Schemas of which zod knows no shape, since they are functions, by the name that describes them here. */
const parsedByThemselves = new Map<unknown, string>([
  [conditionSchema, "condition"],
  [recordConditionSchema, "recordCondition"],
]);

/**
 * JSON Schema (2020-12) of a definition, for editors and other programs: every step kind with its
 * input, every trigger kind with its settings. What it lets through may still be refused: references,
 * names of objects and fields, and limits are checked by validation alone.
 */
export function createDefinitionJsonSchema(known: Kinds): JsonObject {
  const schema = z.toJSONSchema(describeDocument(known), {
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const name = parsedByThemselves.get(zodSchema);
      if (name !== undefined) jsonSchema.$ref = `#/$defs/${name}`;
    },
  });
  // Whatever zod keeps beside the schema itself is no JSON.
  const document = z.record(z.string(), z.json()).parse(JSON.parse(JSON.stringify(schema)));
  const described = letExpressionsIn(document, known) as JsonObject;
  return { title: "Tandem workflow", ...described, $defs: { ...asObject(described["$defs"]), ...ownDefinitions } };
}

function describeDocument({ kinds, triggerKinds }: Kinds): z.ZodType {
  const step: z.ZodType<StepDefinition> = z.lazy(() => z.union([...Object.values(control), ...effects]));
  const { control, effect } = createStepShapes(step);
  const effects = Object.values(kinds).map(({ kind, input, description }) =>
    effect.extend({ kind: z.literal(kind), input }).meta({ description }),
  );
  const triggers = Object.values(triggerKinds).map(({ kind, settings, description }) =>
    settings.extend({ id: idSchema, kind: z.literal(kind) }).meta({ description }),
  );
  return z.strictObject({ ...documentShape, triggers: z.array(z.union(triggers)).min(1).max(5), steps: z.array(step) });
}

/**
 * An expression may stand for any value of an effect's input or of a trigger's settings, but for those
 * that must be written out.
 */
function letExpressionsIn(node: Json, known: Kinds): Json {
  if (Array.isArray(node)) return node.map((item) => letExpressionsIn(item, known));
  if (!isJsonObject(node)) return node;
  const walked = Object.fromEntries(Object.entries(node).map(([key, part]) => [key, letExpressionsIn(part, known)]));
  const properties = asObject(walked["properties"]);
  const { const: name } = asObject(properties["kind"]);
  if (typeof name !== "string") return walked;
  if (Object.hasOwn(known.triggerKinds, name)) return loosen(walked, ["id", "kind"]);
  const kind = Object.hasOwn(known.kinds, name) ? known.kinds[name] : undefined;
  if (kind === undefined || !isJsonObject(properties["input"] ?? null)) return walked;
  return { ...walked, properties: { ...properties, input: loosen(properties["input"] ?? {}, kind.fixed) } };
}

/** The schema of a value in which expressions may stand, except under the fixed keys at its top. */
function loosen(schema: Json, fixed: readonly string[] = []): Json {
  if (!isJsonObject(schema)) return schema;
  const loose: JsonObject = { ...schema };
  if (isJsonObject(schema["properties"] ?? null)) {
    const properties = Object.entries(asObject(schema["properties"]));
    loose["properties"] = Object.fromEntries(
      properties.map(([key, part]) => [key, fixed.includes(key) ? part : orExpression(part)]),
    );
  }
  for (const key of ["items", "additionalProperties"])
    if (isJsonObject(schema[key] ?? null)) loose[key] = orExpression(schema[key] ?? {});
  for (const key of ["anyOf", "oneOf", "allOf"]) {
    const options = schema[key];
    if (Array.isArray(options)) loose[key] = options.map((option) => loosen(option));
  }
  return loose;
}

function orExpression(schema: Json): Json {
  return { anyOf: [loosen(schema), { $ref: "#/$defs/expression" }] };
}

function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}

function conditionDefinition(name: string, leaf: JsonObject): JsonObject {
  const self = { $ref: `#/$defs/${name}` };
  const group = (key: string, value: JsonObject): JsonObject => ({
    type: "object",
    properties: { [key]: value },
    required: [key],
    additionalProperties: false,
  });
  const several = { type: "array", items: self, maxItems: 100 };
  return {
    anyOf: [
      group("all", several),
      group("any", several),
      group("not", self),
      { type: "object", additionalProperties: false, ...leaf },
    ],
  };
}

const operator = { enum: [...operators] };

const ownDefinitions: JsonObject = {
  expression: { type: "string", pattern: "\\{[{%]", description: "An expression: {{ path | filter: argument }}" },
  condition: conditionDefinition("condition", {
    properties: { left: {}, operator, right: {} },
    required: ["left", "operator"],
  }),
  recordCondition: conditionDefinition("recordCondition", {
    properties: { field: { type: "string" }, operator, value: {} },
    required: ["field", "operator"],
  }),
};
