import { faultOfSpan } from "../../definition/conditions/spans.ts";
import type { ChangeOperator, EventOperator } from "../../definition/conditions.ts";
import { isUuid } from "../../ids.ts";
import type { Json } from "../../json.ts";
import type { Place } from "./place.ts";

const numeric = /^-?\d+(\.\d+)?$/;
const ordering: ReadonlySet<EventOperator> = new Set([
  "greaterThan",
  "greaterThanOrEqual",
  "lessThan",
  "lessThanOrEqual",
]);
const looking: ReadonlySet<EventOperator> = new Set(["contains", "notContains", "startsWith", "endsWith"]);
const nothingToCompare: ReadonlySet<EventOperator> = new Set(["isEmpty", "isNotEmpty", "changed"]);
const ofChanges: ReadonlySet<EventOperator> = new Set<ChangeOperator>(["changedFrom", "became"]);

/** Where a value of a condition stands. */
export interface Leaf {
  readonly field: string;
  readonly operator: EventOperator;
  readonly value?: Json | undefined;
}

/**
 * A leaf's value as its place compares it, as filters of records take it. Throws an Error that says what
 * the place takes; null is what nothing compares with.
 */
export function readWanted(leaf: Leaf, place: Place): Json {
  const { operator, value = null } = leaf;
  const { comparesAs } = place;
  if (nothingToCompare.has(operator)) return null;
  if (operator === "inLast" || operator === "inNext") return readSpan(leaf, place);
  if (operator === "in" || operator === "notIn") return readList(leaf, place);
  if (value === null) return readNull(leaf);
  if (ordering.has(operator) && (comparesAs === "list" || comparesAs === "json"))
    throw new Error(`"${leaf.field}" has no order`);
  if (looking.has(operator)) return readSought(leaf, place);
  if (ordering.has(operator) && comparesAs === "text" && typeof value !== "string")
    throw new Error(`"${leaf.field}" is text, which has no order with ${written(value)}`);
  return readValue(value, leaf, place);
}

function readNull({ operator, field }: Leaf): null {
  if (!ofChanges.has(operator)) return null;
  const other = operator === "became" ? "isEmpty" : "isNotEmpty";
  throw new Error(
    `"${operator}" takes a value. For "${field}" ${operator === "became" ? "that was emptied" : "that was empty"}, ask that it "changed" and "${other}"`,
  );
}

function readSpan({ field, operator, value = null }: Leaf, { comparesAs }: Place): Json {
  const fault = faultOfSpan(value);
  if (fault !== undefined || (comparesAs !== "day" && comparesAs !== "moment"))
    throw new Error(`"${operator}" takes a span such as { days: 7 } and looks at dates, which "${field}" must be`);
  return value;
}

function readList(leaf: Leaf, place: Place): Json {
  const { value } = leaf;
  if (!Array.isArray(value)) throw new Error(`"${leaf.operator}" takes a list for "${leaf.field}"`);
  if (place.comparesAs === "list") throw new Error(`"${leaf.field}" is a list; "contains" looks for an item in it`);
  return value.filter((item) => item !== null).map((item) => readValue(item, leaf, place));
}

/** Text in text, an item in a list, or a part of JSON. */
function readSought(leaf: Leaf, place: Place): Json {
  const { operator, value = null, field } = leaf;
  const isPart = operator === "contains" || operator === "notContains";
  if (isPart && place.comparesAs === "json") return value;
  if (isPart && place.comparesAs === "list") {
    if (!place.isWhole || place.field === undefined) return value;
    const parsed = parse([value], leaf, place);
    return Array.isArray(parsed) ? (parsed[0] ?? null) : parsed;
  }
  if (place.comparesAs === "text" && typeof value === "string") return value;
  throw new Error(
    `"${operator}" looks for text in text${isPart ? " or for an item in a list" : ""}, which "${field}" is not`,
  );
}

function readValue(value: Json, leaf: Leaf, place: Place): Json {
  const { comparesAs, field } = place;
  const says = (expected: string): Error =>
    new Error(`"${leaf.field}" is compared with ${expected}, but got ${written(value)}`);
  if (comparesAs === "composite")
    throw new Error(`name a sub-field: "${leaf.field}.${Object.keys(field?.info.subFields ?? {})[0]}"`);
  if (comparesAs === "number") {
    if (typeof value === "number" || (typeof value === "string" && numeric.test(value))) return value;
    throw says("a number");
  }
  if (comparesAs === "moment" && typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value))
    throw new Error(`"${leaf.field}" is a moment and ${value} a day; use start_of_day`);
  const hasOptions = field?.type === "SELECT" || field?.type === "RATING";
  if (comparesAs === "text" && typeof value === "number" && !hasOptions) return String(value);
  if (place.isWhole && field !== undefined) return parse(value, leaf, place);
  if (comparesAs === "uuid" && (typeof value !== "string" || !isUuid(value))) throw says("an id");
  if (comparesAs === "text" && typeof value !== "string") throw says("text");
  if (comparesAs === "list" && !Array.isArray(value)) throw says("a list");
  return comparesAs === "uuid" && typeof value === "string" ? value.toLowerCase() : value;
}

/** By the field's own reading: of a select an option's value, where a label is refused with it. */
function parse(value: Json, { field: name }: Leaf, { field }: Place): Json {
  if (field === undefined) return value;
  try {
    return field.info.parse(value, field.reading);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`"${name}"${/^[.[]/.test(said) ? "" : " "}${said}`, { cause: error });
  }
}

function written(value: Json): string {
  return JSON.stringify(value).slice(0, 60);
}
