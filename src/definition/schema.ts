import { z } from "zod";
import type { TriggerKinds } from "../triggers/trigger-kind.ts";
import type { Json, JsonObject } from "../json.ts";
import { conditionSchema, type Condition } from "./conditions.ts";
import { parseCron } from "./cron.ts";
import { faultsOf, passOn } from "./issues.ts";
import { standsForMore } from "./standing-in.ts";
import { didYouMean } from "./suggest.ts";
import { findTimeZone, unknownTimeZone } from "./time-zones.ts";

/** Limits of a definition (DESIGN.md §7). */
export const limits = {
  documentBytes: 1_048_576,
  steps: 200,
  nesting: 8,
  /** Loops in one another. */
  loops: 3,
  /** Lists and objects in one another, in the whole document. */
  values: 128,
  planBytes: 131_072,
} as const;

/** The largest first. */
const units = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 } as const;

/** `500ms`, `5s`, `10m`, `2h`, `7d`, as milliseconds. */
export const durationSchema = z
  .string()
  .regex(/^\d{1,6}(ms|s|m|h|d)$/, "a duration is a number and a unit: 500ms, 5s, 10m, 2h, 7d")
  .meta({ examples: ["5s", "10m"] });

export function durationMs(duration: string): number {
  const [, count = "0", unit = "s"] = /^(\d+)(ms|s|m|h|d)$/.exec(duration) ?? [];
  return Number(count) * units[unit as keyof typeof units];
}

/** Milliseconds as a duration, in the largest unit in which it is a whole number. */
export function durationText(ms: number): string {
  const [unit, size] = Object.entries(units).find(([, each]) => ms % each === 0) ?? ["ms", 1];
  return `${ms / size}${unit}`;
}

export const idSchema = z
  .string()
  .regex(/^[a-z][a-zA-Z0-9]{0,63}$/, "an id is a lower-case letter, then letters and digits");
export const keySchema = z
  .string()
  .max(64)
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/, "a key is in kebab-case: web-form-leads");

const json = z.json() as z.ZodType<Json>;

/** An IANA zone; a fault names the one that was meant. */
export const timeZoneSchema = z.string().superRefine((name, context) => {
  if (findTimeZone(name) === undefined) context.addIssue({ code: "custom", message: unknownTimeZone(name) });
});

/** Five fields; a fault names the one that it is in. */
export const cronSchema = z
  .string()
  .superRefine((text, context) => {
    const { fault } = parseCron(text);
    if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
  })
  .meta({ examples: ["30 7 * * mon-fri"] });

/** Types of settings, with what a value of each must be. */
export const settingTypes = {
  text: z.string().max(10_000),
  number: z.number(),
  boolean: z.boolean(),
  email: z.email(),
  emails: z.array(z.email()).max(50),
  url: z.url(),
  select: z.string(),
  member: z.email(),
  /** The id of a record of the setting's `object`. */
  record: z.uuid("the id of a record"),
  timeZone: timeZoneSchema,
  cron: cronSchema,
} as const satisfies Record<string, z.ZodType>;

export type SettingType = keyof typeof settingTypes;

const settingSchema = z.strictObject({
  type: z.enum(Object.keys(settingTypes) as [SettingType, ...SettingType[]]),
  label: z.string().max(200).optional(),
  description: z.string().max(2_000).optional(),
  default: json.optional(),
  /** Of a `select`. */
  options: z.array(z.string().min(1).max(100)).min(1).max(100).optional(),
  /** Of a `record`: the object's name. */
  object: z.string().min(1).max(64).optional(),
});

export type Setting = z.output<typeof settingSchema>;

const retrySchema = z.strictObject({
  maximumAttempts: z.number().int().min(1).max(100).optional(),
  initialInterval: durationSchema.optional(),
  backoffCoefficient: z.number().min(1).max(10).optional(),
  maximumInterval: durationSchema.optional(),
});

const outputSchema = z.record(
  z.string().regex(/^[a-zA-Z][a-zA-Z0-9]*$/, "a key is a letter, then letters and digits"),
  json,
);

export type OnErrorDefinition =
  | "fail"
  | "continue"
  | { codes?: string[] | undefined; steps?: StepDefinition[] | undefined; output?: Record<string, Json> | undefined };

interface StepBase {
  id: string;
  name?: string | undefined;
  note?: string | undefined;
  timeout?: string | undefined;
  retry?: z.output<typeof retrySchema> | undefined;
  onError?: OnErrorDefinition | undefined;
  once?: string | undefined;
}

export interface BranchDefinition {
  name?: string | undefined;
  when?: Condition | undefined;
  steps: StepDefinition[];
  output?: Record<string, Json> | undefined;
}

export interface ParallelBranchDefinition {
  name: string;
  steps: StepDefinition[];
  output?: Record<string, Json> | undefined;
}

export interface IteratorDefinition {
  items: Json;
  batch?: number | undefined;
  concurrency: number;
  onItemError: "fail" | "continue";
  steps: StepDefinition[];
  output?: Record<string, Json> | undefined;
}

/** A step as written: an effect kind's `input` is checked by the kind itself. */
export type StepDefinition =
  | (StepBase & { kind: "branch"; branches: BranchDefinition[] })
  | (StepBase & { kind: "parallel"; branches: ParallelBranchDefinition[] })
  | (StepBase & IteratorDefinition & { kind: "iterator" })
  | (StepBase & { kind: "filter"; when: Condition })
  | (StepBase & { kind: "set"; input: Record<string, Json> })
  | (StepBase & { kind: string; input: { [key: string]: Json } });

const stepBase = {
  id: idSchema,
  name: z.string().min(1).max(100).optional(),
  note: z.string().max(2_000).optional(),
};

/**
 * What steps of each kind may hold, around whatever stands for a step within a block. `effect` is every
 * kind that the registry of step kinds knows.
 */
export function createStepShapes(step: z.ZodType<StepDefinition>) {
  const steps = z.array(step);
  const onError = z.union([
    z.enum(["fail", "continue"]),
    z.strictObject({
      codes: z.array(z.string().min(1).max(100)).min(1).max(20).optional(),
      steps: steps.optional(),
      output: outputSchema.optional(),
    }),
  ]);
  const branch = z.strictObject({
    name: idSchema.optional(),
    when: conditionSchema.optional(),
    steps,
    output: outputSchema.optional(),
  });
  return {
    control: {
      branch: z.strictObject({ ...stepBase, kind: z.literal("branch"), branches: z.array(branch).min(1).max(20) }),
      parallel: z.strictObject({
        ...stepBase,
        kind: z.literal("parallel"),
        branches: z
          .array(z.strictObject({ name: idSchema, steps, output: outputSchema.optional() }))
          .min(1)
          .max(20),
      }),
      iterator: z.strictObject({
        ...stepBase,
        kind: z.literal("iterator"),
        items: json,
        batch: z.number().int().min(1).max(1_000).optional(),
        concurrency: z.number().int().min(1).max(20).default(1),
        onItemError: z.enum(["fail", "continue"]).default("fail"),
        steps,
        output: outputSchema.optional(),
        onError: onError.optional(),
      }),
      filter: z.strictObject({ ...stepBase, kind: z.literal("filter"), when: conditionSchema }),
      set: z.strictObject({ ...stepBase, kind: z.literal("set"), input: outputSchema, onError: onError.optional() }),
    },
    effect: z.strictObject({
      ...stepBase,
      kind: z.string().min(1).max(64),
      input: z.record(z.string(), json).default({}),
      timeout: durationSchema.optional(),
      retry: retrySchema.optional(),
      onError: onError.optional(),
      once: z.string().min(1).max(2_000).optional(),
    }),
  };
}

const shapes = createStepShapes(z.lazy(() => stepSchema));

/** Kinds that the engine itself does; every other kind is looked up in the registry of step kinds. */
export const controlKinds = ["branch", "parallel", "iterator", "filter", "set"] as const satisfies Array<
  keyof typeof shapes.control
>;

/** The step's kind decides its keys, so that a fault is named by the place it really is at. */
const stepSchema: z.ZodType<StepDefinition> = z.unknown().transform((node, context): StepDefinition => {
  const named = z.object({ kind: z.enum(controlKinds) }).safeParse(node);
  const shape: z.ZodType<StepDefinition> = named.success ? shapes.control[named.data.kind] : shapes.effect;
  const parsed = shape.safeParse(node);
  return parsed.success ? parsed.data : passOn(parsed.error, shape, context);
});

/** What becomes of a run whose concurrency key has no room. */
export const whenBusyPolicies = ["queue", "queue-latest", "skip", "replace"] as const;

/** The document, but for its triggers, whose kinds have schemas of their own. */
export const documentShape = {
  formatVersion: z.literal(1),
  key: keySchema,
  name: z.string().min(1).max(200),
  description: z.string().max(5_000).optional(),
  tags: z.array(z.string().min(1).max(50)).max(20).optional(),
  settings: z.record(idSchema, settingSchema).optional(),
  steps: z.array(stepSchema),
  concurrency: z
    .strictObject({
      key: z.string().min(1).max(2_000),
      limit: z.number().int().min(1).max(100).default(1),
      whenBusy: z.enum(whenBusyPolicies).default("queue"),
      scope: z.enum(["workflow", "workspace"]).default("workflow"),
    })
    .optional(),
  output: outputSchema.optional(),
  onFailure: z
    .strictObject({
      /** Who is told when runs fail, an address or a list of them; by default the workspace's alert addresses. */
      notify: json.optional(),
      /** Key of a workflow that is started with the failure as its input. */
      workflow: keySchema.optional(),
    })
    .optional(),
};

/** A trigger: its id, its kind, and what the kind takes, defaults filled in unless expressions stand in it. */
export interface TriggerDefinition {
  id: string;
  kind: string;
  [setting: string]: Json;
}

export interface Definition {
  formatVersion: 1;
  key: string;
  name: string;
  description?: string | undefined;
  tags?: string[] | undefined;
  settings?: Record<string, Setting> | undefined;
  triggers: TriggerDefinition[];
  steps: StepDefinition[];
  concurrency?:
    | {
        key: string;
        limit: number;
        whenBusy: (typeof whenBusyPolicies)[number];
        scope: "workflow" | "workspace";
      }
    | undefined;
  output?: Record<string, Json> | undefined;
  onFailure?: { notify?: Json | undefined; workflow?: string | undefined } | undefined;
}

/** The schema of a definition whose triggers may be of these kinds. */
export function createDefinitionSchema(kinds: TriggerKinds): z.ZodType<Definition> {
  const trigger = z.unknown().transform((node, context): TriggerDefinition => {
    const base = triggerBase.safeParse(node);
    if (!base.success) return passOn(base.error, triggerBase, context);
    const { id, kind, ...settings } = base.data;
    const schema = Object.hasOwn(kinds, kind) ? kinds[kind]?.settings : undefined;
    if (schema === undefined) {
      const message = `unknown trigger kind "${kind}"${didYouMean(kind, Object.keys(kinds))}`;
      context.addIssue({ code: "custom", path: ["kind"], message });
      return z.NEVER;
    }
    const parsed = schema.safeParse(settings);
    if (parsed.success) return { ...parsed.data, id, kind };
    // What an expression stands for is known when the trigger is armed.
    const faults = faultsOf(parsed.error, schema, (path) => standsForMore(settings as JsonObject, path));
    for (const { path, message } of faults) context.addIssue({ code: "custom", path: [...path], message });
    return { ...(settings as JsonObject), id, kind };
  });
  return z.strictObject({ ...documentShape, triggers: z.array(trigger).min(1).max(5) });
}

const triggerBase = z.object({ id: idSchema, kind: z.string() }).catchall(json);
