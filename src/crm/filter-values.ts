import type { RecordCondition } from "../definition/conditions.ts";
import type { StepError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import type { Json } from "../json.ts";
import { describe, FieldFault, parseText } from "./plain-values.ts";
import { invalidFilter, type Target } from "./target.ts";

/** A comparison of a field or path with a value. */
export type Leaf = Extract<RecordCondition, { field: string }>;

/** Where a value of a filter stands, for faults. */
export interface ValuePlace {
  readonly leaf: Leaf;
  readonly target: Target;
  readonly at: string;
  readonly days: "refused" | undefined;
}

const numeric = /^-?\d+(\.\d+)?$/;
const day = /^\d{4}-\d{2}-\d{2}$/;

/** The value as the target's type. Throws `invalid-filter`, which says what the target takes. */
export function checkValue(value: Json, place: ValuePlace): Json {
  const { leaf, target, at, days } = place;
  const { field, comparesAs } = target;
  if (comparesAs === "composite")
    throw invalidFilter(at, `name a sub-field: "${leaf.field}.${Object.keys(field?.info.subFields ?? {})[0]}"`);
  if (comparesAs === "number") return checkNumber(value, place);
  if (comparesAs === "moment" && days === "refused" && typeof value === "string" && day.test(value))
    throw invalidFilter(at, `"${leaf.field}" is a moment and ${value} a day; use start_of_day`);
  // A number beside text that is one.
  if (comparesAs === "text" && typeof value === "number" && !hasOptions(target)) return String(value);
  if (field !== undefined && field.info.comparesAs !== "composite")
    return orFault(place, () => field.info.parse(value, field.reading));
  const says = (expected: string): StepError =>
    invalidFilter(at, `"${leaf.field}" is compared with ${expected}, but got ${describe(value)}`);
  if (comparesAs === "uuid" && (typeof value !== "string" || !isUuid(value))) throw says("an id");
  if (comparesAs === "text" && typeof value !== "string") throw says("text");
  if (comparesAs === "list" && !Array.isArray(value)) throw says("a list");
  checkTexts(value, place);
  return value;
}

/** Any number, whatever decimals the field takes: as text it stays exact. */
function checkNumber(value: Json, { leaf, at }: ValuePlace): Json {
  if (typeof value === "number" || (typeof value === "string" && numeric.test(value))) return value;
  throw invalidFilter(at, `"${leaf.field}" takes a number, but got ${describe(value)}`);
}

/** Whether values are names from a closed list. */
function hasOptions({ field }: Target): boolean {
  return field?.type === "SELECT" || field?.type === "RATING";
}

/** Text that Postgres can hold. Throws `invalid-filter`. */
export function checkText(value: string, place: ValuePlace): string {
  return orFault(place, () => parseText(value));
}

/** An item that a list is asked for, as the list holds it: of a multi-select an option. */
export function checkItem(value: Json, place: ValuePlace): Json {
  const { field } = place.target;
  if (field === undefined || field.info.comparesAs !== "list") {
    checkTexts(value, place);
    return value;
  }
  const parsed = orFault(place, () => field.info.parse([value], field.reading));
  return Array.isArray(parsed) ? (parsed[0] ?? null) : parsed;
}

/** Every text in a value must be one that Postgres can hold. */
export function checkTexts(value: Json, place: ValuePlace): void {
  if (typeof value === "string") checkText(value, place);
  else if (Array.isArray(value)) for (const item of value) checkTexts(item, place);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) {
      checkText(key, place);
      checkTexts(item, place);
    }
}

function orFault<T>({ leaf, at }: ValuePlace, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof FieldFault)) throw error;
    const space = /^[.[]/.test(error.message) ? "" : " ";
    throw invalidFilter(at, `"${leaf.field}"${space}${error.message}`);
  }
}
