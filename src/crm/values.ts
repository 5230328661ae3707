import { StepError, type Issue } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import { didYouMean } from "../definition/suggest.ts";
import { FieldFault } from "./field-types.ts";
import { systemFields, type CrmField, type CrmObject } from "./objects.ts";

/** A field's value, checked and ready to store; null clears. */
export interface FieldValue {
  readonly field: CrmField;
  readonly value: Json;
}

/** What is wrong with values for an object's fields, each with its place below `at`. */
export function checkValues(
  object: CrmObject,
  values: JsonObject,
  at: string,
): { values: FieldValue[]; issues: Issue[] } {
  const issues: Issue[] = [];
  const parsed: FieldValue[] = [];
  for (const [name, value] of Object.entries(values)) {
    const field = object.field(name);
    const place = at === "" ? name : `${at}.${name}`;
    if (field === undefined) issues.push({ path: place, message: unknownField(object, name) });
    else if (systemFields.has(name)) issues.push({ path: place, message: `"${name}" is set by the CRM itself` });
    else if (value === null && field.required)
      issues.push({ path: place, message: `${object.name}.${name} must have a value; it cannot be cleared` });
    else {
      try {
        parsed.push({ field, value: value === null ? null : field.info.parse(value, field.settings) });
      } catch (error) {
        if (!(error instanceof FieldFault)) throw error;
        issues.push({
          path: place,
          message: `${object.name}.${name}${error.message.startsWith(".") ? "" : " "}${error.message}`,
        });
      }
    }
  }
  return { values: parsed, issues };
}

export function unknownField(object: CrmObject, name: string): string {
  const relation = object.relation(name);
  if (relation !== undefined)
    return `${object.name} has no field "${name}"; a relation is written by its id: "${relation.name}"`;
  return `${object.name} has no field "${name}"${didYouMean(
    name,
    object.fields.map((field) => field.name),
  )}`;
}

/** The values, or a StepError `invalid-values` that names every fault. */
export function parseValues(object: CrmObject, values: JsonObject): FieldValue[] {
  const { values: parsed, issues } = checkValues(object, values, "values");
  if (issues.length > 0) {
    const faults = issues.map((issue) => `${issue.path}: ${issue.message}`).join("; ");
    throw new StepError("invalid-values", `${faults}.`, {
      details: { issues: issues.map(({ path, message }) => ({ path, message })) },
    });
  }
  return parsed;
}
