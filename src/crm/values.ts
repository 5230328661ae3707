import { StepError, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { didYouMean } from "../definition/suggest.ts";
import { FieldFault } from "./plain-values.ts";
import { systemFields, type CrmField, type CrmObject } from "./objects.ts";

/** A field's value, checked and ready to store; null clears. */
export interface FieldValue {
  readonly field: CrmField;
  readonly value: Json;
}

/** What is unique is indexed, and an index takes some 2,700 bytes. */
const longestUnique = 512;

/** What is wrong with values for an object's fields, each with its place below `at`. */
export function checkValues(
  object: CrmObject,
  values: JsonObject,
  at: string,
): { values: FieldValue[]; issues: Issue[] } {
  const issues: Issue[] = [];
  const parsed: FieldValue[] = [];
  for (const [name, value] of Object.entries(values)) {
    const path = at === "" ? name : `${at}.${name}`;
    const field = object.field(name);
    if (field === undefined) issues.push({ path, message: unknownField(object, name) });
    else if (systemFields.has(name)) issues.push({ path, message: `"${name}" is set by the CRM itself` });
    else {
      try {
        parsed.push({ field, value: parseValue(field, value) });
      } catch (error) {
        if (!(error instanceof FieldFault)) throw error;
        const space = error.message.startsWith(".") ? "" : " ";
        issues.push({ path, message: `${object.name}.${name}${space}${error.message}` });
      }
    }
  }
  return { values: parsed, issues };
}

function parseValue(field: CrmField, value: Json): Json {
  if (value === null) return null;
  const parsed = field.info.parse(value, field.reading);
  if (field.unique && (mainText({ field, value: parsed })?.length ?? 0) > longestUnique)
    throw new FieldFault(`is longer than ${longestUnique} characters, which a unique value cannot be`);
  return parsed;
}

/** The text that makes a value unique: of a composite its main sub-field. */
export function mainText({ field, value }: FieldValue): string | undefined {
  const { main } = field.info;
  const text = main === undefined ? value : (value as JsonObject | null)?.[main];
  return typeof text === "string" ? text : undefined;
}

export function unknownField(object: CrmObject, name: string): string {
  const relation = object.relation(name);
  if (relation !== undefined)
    return `${object.name} has no field "${name}"; a relation is written by its id: "${relation.name}"`;
  const known = object.fields.map((field) => field.name);
  return `${object.name} has no field "${name}"${didYouMean(name, known)}`;
}

/** The values, or a StepError `invalid-values` that names every fault. */
export function parseValues(object: CrmObject, values: JsonObject): FieldValue[] {
  const { values: parsed, issues } = checkValues(object, values, "values");
  if (issues.length > 0) throw invalidValues(issues);
  return parsed;
}

export function invalidValues(issues: readonly Issue[]): StepError {
  const faults = issues.map((issue) => `${issue.path}: ${issue.message}`).join("; ");
  return new StepError("invalid-values", /[.?]$/.test(faults) ? faults : `${faults}.`, {
    details: { issues: issues.map(({ path, message }) => ({ path, message })) },
  });
}

/** Throws `invalid-values` where a field that must have a value would have none. */
export function requireFields(object: CrmObject, values: readonly FieldValue[], write: "create" | "update"): void {
  const names = lackingFields(object, values, write);
  if (names.length === 0) return;
  throw new StepError("invalid-values", `${object.name}: ${names.join(", ")} must have a value.`, {
    details: { issues: names.map((name) => ({ path: `values.${name}`, message: "must have a value" })) },
  });
}

/** The names of fields that must have a value and would have none. */
export function lackingFields(object: CrmObject, values: readonly FieldValue[], write: "create" | "update"): string[] {
  const given = new Map(values.map((value) => [value.field.name, value]));
  return object.fields.flatMap((field) => {
    const value = given.get(field.name);
    const lacks =
      value === undefined
        ? write === "create" && !isFilled({ field, value: field.defaultValue })
        : write === "create"
          ? !isFilled(value)
          : isCleared(value);
    return field.required && lacks ? [field.name] : [];
  });
}

/** Whether a new record would have a value by this; of a composite it names all that it has. */
export function isFilled({ field, value }: { field: Pick<CrmField, "info">; value: Json }): boolean {
  const { main } = field.info;
  if (!isJsonObject(value) || field.info.comparesAs !== "composite") return isValue(value);
  return main === undefined ? Object.values(value).some(isValue) : isValue(value[main] ?? null);
}

/** Whether a record would lose its value by this: what a composite does not name stays. */
function isCleared({ field, value }: FieldValue): boolean {
  const { main } = field.info;
  if (!isJsonObject(value) || field.info.comparesAs !== "composite") return !isValue(value);
  return main !== undefined && value[main] !== undefined && !isValue(value[main]);
}

function isValue(value: Json): boolean {
  return value !== null && value !== "" && !(Array.isArray(value) && value.length === 0);
}
