import { z } from "zod";
import type { StepKind, StepKinds } from "../../src/activities/step-kind.ts";
import type { Objects } from "../../src/crm/objects.ts";
import { recordConditionSchema } from "../../src/definition/conditions.ts";
import type { Issue } from "../../src/errors.ts";
import type { Json } from "../../src/json.ts";
import { validateDefinition, type ValidationContext } from "../../src/definition/validate.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";

/** Definitions are checked against kinds, not against what they do: none of these is ever run. */
const common = {
  version: 3,
  title: "A step",
  description: "A step of these tests.",
  queue: "runs",
  timeoutMs: 30_000,
  retry: { maximumAttempts: 10, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
  sample: { input: {}, output: {} },
} as const;

const values = z.record(z.string(), z.json());

const find: StepKind = {
  ...common,
  kind: "find",
  effect: "read",
  fixed: ["object"],
  strict: ["filter"],
  input: z.strictObject({
    object: z.string(),
    filter: recordConditionSchema.optional(),
    limit: z.number().int().min(1).max(200).optional(),
    sort: z.array(z.strictObject({ field: z.string(), direction: z.enum(["asc", "desc"]) })).optional(),
  }),
  output: z.object({ records: z.array(z.json()), first: z.json(), total: z.number() }),
  check: ({ object }, { at }) =>
    object === "person" ? [] : [{ path: `${at}.object`, message: `unknown object ${JSON.stringify(object)}` }],
  run: () => Promise.reject(new Error("no step of these tests is run")),
};

const write: StepKind = {
  ...common,
  kind: "write",
  effect: "record",
  fixed: ["object"],
  input: z.strictObject({ object: z.string(), values, mode: z.enum(["create", "update"]).optional() }),
  output: z.object({ id: z.string(), record: z.json(), outcome: z.string() }),
  run: () => Promise.reject(new Error("no step of these tests is run")),
};

const mail: StepKind = {
  ...common,
  kind: "mail",
  effect: "outside",
  queue: "email",
  fixed: [],
  places: { subject: "text", text: "text", html: "html" },
  input: z.strictObject({
    to: z.array(z.email()).max(50),
    subject: z.string(),
    text: z.string().optional(),
    html: z.string().optional(),
  }),
  output: z.object({ messageIds: z.array(z.string()) }),
  prepare: () => Promise.reject(new Error("no step of these tests is run")),
  perform: () => Promise.reject(new Error("no step of these tests is run")),
};

export const kinds: StepKinds = { find, write, mail };

const objects: Objects = { version: 1, list: () => [], find: () => undefined, findByPlural: () => undefined };

export const context: ValidationContext = { kinds, triggerKinds, objects, quickLane: true };

/** A valid definition, with some of its keys replaced. */
export function definitionWith(changes: { [key: string]: unknown }): { [key: string]: unknown } {
  return {
    formatVersion: 1,
    key: "test-flow",
    name: "Test flow",
    triggers: [{ id: "form", kind: "webhook" }],
    steps: [],
    ...changes,
  };
}

export const branch = (id: string, ...branches: object[]) => ({ id, kind: "branch", branches });

/** A condition that holds. */
export const whenEver = { left: 1, operator: "equals", right: 1 };

export const step = {
  find: (id: string, changes: { [key: string]: Json } = {}) => ({
    id,
    kind: "find",
    input: { object: "person", ...changes },
  }),
  write: (id: string, written: { [key: string]: Json } = {}) => ({
    id,
    kind: "write",
    input: { object: "person", values: written },
  }),
  set: (id: string, input: { [key: string]: Json } = {}) => ({ id, kind: "set", input }),
};

/** `place: message` of everything that is wrong with a definition. */
export function faultsOf(changes: { [key: string]: unknown }, settings?: { [id: string]: Json }): string[] {
  const { issues } = validateDefinition(
    definitionWith(changes),
    settings === undefined ? context : { ...context, settings },
  );
  return issues.map(({ path, message }: Issue) => `${path}: ${message}`);
}
