import type { Json } from "../../json.ts";
import { kindOf, ValueFault } from "../expressions/values.ts";
import { areEqual, fold, orderOf, type Comparing } from "./comparing.ts";
import { faultOfSpan, isWithin } from "./spans.ts";

export { spanSchema } from "./spans.ts";

/** Every operator of the one grammar, on values and on records alike. */
export const operators = [
  "equals",
  "notEquals",
  "greaterThan",
  "greaterThanOrEqual",
  "lessThan",
  "lessThanOrEqual",
  "contains",
  "notContains",
  "startsWith",
  "endsWith",
  "in",
  "notIn",
  "isEmpty",
  "isNotEmpty",
  "inLast",
  "inNext",
] as const;

export type Operator = (typeof operators)[number];

/** Operators that compare with nothing. */
export const unaryOperators: ReadonlySet<Operator> = new Set<Operator>(["isEmpty", "isNotEmpty"]);

type Compare = (left: Json, right: Json, comparing: Comparing) => boolean;

const compares: Readonly<Record<Operator, Compare>> = {
  equals: areEqual,
  notEquals: (left, right, comparing) => !areEqual(left, right, comparing),
  greaterThan: ordered((order) => order > 0),
  greaterThanOrEqual: ordered((order) => order >= 0),
  lessThan: ordered((order) => order < 0),
  lessThanOrEqual: ordered((order) => order <= 0),
  contains,
  notContains: (left, right, comparing) => !contains(left, right, comparing),
  startsWith: (left, right, comparing) =>
    inText(left, right, "startsWith", (whole, piece) => fold(whole, comparing).startsWith(fold(piece, comparing))),
  endsWith: (left, right, comparing) =>
    inText(left, right, "endsWith", (whole, piece) => fold(whole, comparing).endsWith(fold(piece, comparing))),
  in: (left, right, comparing) => items(right, "in").some((item) => areEqual(left, item, comparing)),
  notIn: (left, right, comparing) => !items(right, "notIn").some((item) => areEqual(left, item, comparing)),
  isEmpty,
  isNotEmpty: (left) => !isEmpty(left),
  inLast: (left, right, comparing) => isWithin(left, right, "inLast", comparing),
  inNext: (left, right, comparing) => isWithin(left, right, "inNext", comparing),
};

/** Whether `left operator right` holds. Throws ValueFault where the two cannot be compared. */
export function matches(left: Json, operator: Operator, right: Json, comparing: Comparing): boolean {
  return compares[operator](left, right, comparing);
}

/**
 * What is wrong with what an operator is given, as written: before expressions in it are evaluated. `name`:
 * of an operator that takes what this one does.
 */
export function faultOfOther(operator: Operator, other: Json | undefined, name: string = operator): string | undefined {
  if (unaryOperators.has(operator)) return other === undefined ? undefined : `"${name}" compares with nothing`;
  if (other === undefined) return `"${name}" needs something to compare with`;
  if (typeof other === "string" && other.includes("{{")) return undefined;
  if ((operator === "in" || operator === "notIn") && !Array.isArray(other)) return `"${operator}" takes a list`;
  if (operator !== "inLast" && operator !== "inNext") return undefined;
  const fault = faultOfSpan(other);
  return fault === undefined ? undefined : `"${operator}" ${fault}`;
}

/** Null, empty text, an empty list, an object of nothing else. */
export function isEmpty(value: Json): boolean {
  if (value === null || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.values(value).every(isEmpty);
}

function ordered(holds: (order: number) => boolean): Compare {
  return (left, right, comparing) => {
    const order = orderOf(left, right, comparing);
    return order !== null && holds(order);
  };
}

function contains(left: Json, right: Json, comparing: Comparing): boolean {
  if (Array.isArray(left)) return left.some((item) => areEqual(item, right, comparing));
  return inText(left, right, "contains", (whole, piece) => fold(whole, comparing).includes(fold(piece, comparing)));
}

/** Null holds nothing and is in nothing. */
function inText(left: Json, right: Json, operator: string, holds: (whole: string, piece: string) => boolean): boolean {
  if (left === null || right === null) return false;
  if (typeof left === "string" && (typeof right === "string" || typeof right === "number"))
    return holds(left, String(right));
  const inList = operator === "contains" ? ", or for an item in a list" : "";
  throw new ValueFault(`${operator} looks for text in text${inList}, but got ${kindOf(left)} and ${kindOf(right)}`);
}

function items(value: Json, operator: string): readonly Json[] {
  if (Array.isArray(value)) return value;
  throw new ValueFault(`${operator} takes a list, but got ${kindOf(value)}`);
}
