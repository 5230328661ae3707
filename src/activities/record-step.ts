import { z } from "zod";
import { checkLinks } from "../crm/links.ts";
import { checkModes, writeModes } from "../crm/modes.ts";
import type { CrmObject, Objects } from "../crm/objects.ts";
import type { Change, Writer } from "../crm/operations.ts";
import { checkValues } from "../crm/values.ts";
import { StepError, type Issue } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { recordConditionSchema } from "../definition/conditions.ts";
import { didYouMean, sentence } from "../definition/suggest.ts";
import type { RetryPolicy } from "../definition/plan.ts";
import type { Seal, Sealed } from "../runs/seal.ts";
import { stepLockMs } from "../sql.ts";
import type { CheckContext, StepContext } from "./step-kind.ts";

/** What every step that changes or reads records has in common (DURABILITY.md §3). */
export const recordPolicy: { retry: RetryPolicy; timeoutMs: number; queue: "runs"; version: 1 } = {
  version: 1,
  queue: "runs",
  timeoutMs: 30_000,
  retry: { maximumAttempts: 10, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
};

/** Time of a step that works through records by the thousand. */
export const longMs = 3_600_000;

const json = z.json() as z.ZodType<Json>;

export const objectName = z.string().min(1).max(64);
export const recordId = z.uuid("the id of a record");
export const valuesSchema = z.record(z.string(), json);
export const modesSchema = z.record(z.string(), z.enum(writeModes));
/** A link whose `id` was dropped is dropped with it. */
export const linksSchema = z
  .array(z.strictObject({ object: objectName, id: recordId.optional() }))
  .max(50)
  .transform((links) => links.filter((link): link is { object: string; id: string } => link.id !== undefined));
/** A condition on the record, or that it is still the version that was read. */
export const onlyIfSchema = z.union([z.strictObject({ unchangedSince: json }), recordConditionSchema]);

export const changeOutput = z.object({
  id: z.string(),
  record: z.record(z.string(), z.unknown()),
  outcome: z.enum(["created", "updated", "unchanged"]),
  changedFields: z.array(z.string()),
  before: z.record(z.string(), z.unknown()).nullable(),
});

/** SQL over `changed`: what a change's step gives. */
const outputSql = `jsonb_build_object('id', id, 'record', record, 'outcome', outcome, 'changedFields', to_jsonb(changed_fields), 'before', before)`;

/** A writer whose every change is sealed as this step's result. */
export function createStepWriter(context: StepContext, seal: Seal): Writer {
  const { sql: pool, workspace, objects, run } = context;
  return {
    pool,
    workspace,
    objects,
    actor: { source: "WORKFLOW", name: run.workflowKey },
    origin: { runId: run.id, workflowId: run.workflowId, depth: run.depth },
    gate: "gate",
    lockMs: stepLockMs,
    begin: (options) => seal.begin(options),
    async commit(sql, statement) {
      const sealed = await seal.commit(sql, statement, { from: "changed", output: outputSql, outcome: "outcome" });
      return sealed === undefined ? undefined : changeOf(sealed);
    },
  };
}

function changeOf({ output }: Sealed): Change {
  // Written by outputSql in the same statement.
  return output as unknown as Change;
}

/** A change as the step's sealed result: what the ledger has of it. */
export function sealedChange({ id, record, outcome, changedFields, before }: Change): Sealed {
  return { output: { id, record, outcome, changedFields, before }, outcome };
}

/** The object of a step; activation has looked it up, but objects may change. Throws StepError. */
export function getObject(objects: Objects, name: string): CrmObject {
  const object = objects.find(name);
  if (object !== undefined) return object;
  throw new StepError(
    "unknown-object",
    sentence(
      `There is no object "${name}"${didYouMean(
        name,
        objects.list().map((known) => known.name),
      )}`,
    ),
  );
}

/** Activation's look at `object`, `values` and the keys that name fields. */
export function checkObject(
  input: JsonObject,
  { objects, at }: CheckContext,
): { object: CrmObject | undefined; issues: Issue[] } {
  const name = textOf(input["object"]) ?? "";
  const object = objects.find(name);
  if (object !== undefined) return { object, issues: [] };
  const message = `unknown object "${name}"${didYouMean(
    name,
    objects.list().map((known) => known.name),
  )}`;
  return { object: undefined, issues: [{ path: `${at}.object`, message }] };
}

/** Activation's look at everything that a write says of fields. */
export function checkWrite(object: CrmObject, written: JsonObject, { objects, at }: CheckContext): Issue[] {
  const { modes = null, links } = written;
  return [
    ...checkWrittenValues(object, written["values"], `${at}.values`),
    ...(isJsonObject(modes) ? checkModes(object, modes, `${at}.modes`) : []),
    ...(Array.isArray(links) ? checkLinks({ objects, object }, links.map(targetOf), `${at}.links`) : []),
  ];
}

/** The object that a link names; undefined where an expression stands for it. */
function targetOf(link: Json): string | undefined {
  const target = isJsonObject(link) ? textOf(link["object"]) : undefined;
  return target === undefined || holdsExpression(target) ? undefined : target;
}

/** A field that a new record must have, and that is not among the values. */
export function checkRequired(object: CrmObject, values: Json | undefined, at: string): Issue[] {
  if (!isJsonObject(values)) return [];
  return object.fields
    .filter((field) => field.required && !Object.hasOwn(values, field.name))
    .map(({ name }) => ({ path: at, message: `${object.name} must have "${name}"` }));
}

/** What is wrong with values as written; an expression may become anything. */
function checkWrittenValues(object: CrmObject, values: Json | undefined, at: string): Issue[] {
  if (values === undefined || !isJsonObject(values)) return [];
  const written = Object.entries(values).flatMap(([name, value]) =>
    object.field(name) === undefined || !holdsExpression(value) ? [[name, value]] : [],
  );
  const { issues } = checkValues(object, Object.fromEntries(written) as JsonObject, at);
  const partly = Object.entries(values).flatMap(([name, value]) =>
    checkSubFields(object, { name, value, at: `${at}.${name}` }),
  );
  return [...issues, ...partly];
}

/** Of a composite that holds expressions at least the sub-fields' names can be checked. */
function checkSubFields(object: CrmObject, { name, value, at }: { name: string; value: Json; at: string }): Issue[] {
  const subFields = object.field(name)?.info.subFields;
  if (subFields === undefined || !isJsonObject(value) || !holdsExpression(value)) return [];
  const known = Object.keys(subFields);
  return Object.keys(value)
    .filter((key) => !Object.hasOwn(subFields, key))
    .map((key) => ({ path: `${at}.${key}`, message: `${name} has no sub-field "${key}"${didYouMean(key, known)}` }));
}

export function holdsExpression(value: Json): boolean {
  if (typeof value === "string") return value.includes("{{");
  if (Array.isArray(value)) return value.some(holdsExpression);
  return isJsonObject(value) && Object.values(value).some(holdsExpression);
}
