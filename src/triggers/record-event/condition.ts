import type { CrmObject } from "../../crm/objects.ts";
import type { EventCondition } from "../../definition/conditions.ts";
import { sameJson } from "../../definition/expressions/values.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import { holds } from "./comparing.ts";
import { happeningOf, recordOf, type Transition } from "./event.ts";
import { findPlace, type Place } from "./place.ts";
import { readWanted, type Leaf } from "./wanted.ts";

/** Whether a condition holds of a change. */
export type ChangeTest = (change: Transition) => boolean;

/**
 * Compiles a condition on changes of an object's records. What cannot be compiled is among the issues,
 * and holds of nothing.
 */
export function compileChangeTest(
  condition: EventCondition,
  { object, at }: { readonly object: CrmObject; readonly at: string },
): { readonly test: ChangeTest; readonly issues: readonly Issue[] } {
  const issues: Issue[] = [];
  return { test: compileNode(condition, { object, at, issues }), issues };
}

interface Compiling {
  readonly object: CrmObject;
  readonly at: string;
  readonly issues: Issue[];
}

function compileNode(condition: EventCondition, compiling: Compiling): ChangeTest {
  const { at } = compiling;
  const each = (items: readonly EventCondition[], key: string): ChangeTest[] =>
    items.map((item, position) => compileNode(item, { ...compiling, at: placeOf(placeOf(at, key), position) }));
  if ("all" in condition) {
    const tests = each(condition.all, "all");
    return (change) => tests.every((test) => test(change));
  }
  if ("any" in condition) {
    const tests = each(condition.any, "any");
    return (change) => tests.some((test) => test(change));
  }
  if ("not" in condition) {
    const test = compileNode(condition.not, { ...compiling, at: placeOf(at, "not") });
    return (change) => !test(change);
  }
  return compileLeaf(condition, compiling);
}

function compileLeaf(leaf: Leaf, { object, at, issues }: Compiling): ChangeTest {
  const place = leaf.operator === "changed" ? findWhole(object, leaf.field) : findPlace(object, leaf.field);
  if ("fault" in place) {
    issues.push({ path: at, message: place.fault });
    return () => false;
  }
  try {
    return testOf(leaf, place);
  } catch (error) {
    issues.push({ path: at, message: error instanceof Error ? error.message : String(error) });
    return () => false;
  }
}

/** A field that is named alone is looked at whole. */
function findWhole(object: CrmObject, path: string): Place | { readonly fault: string } {
  const place = findPlace(object, path);
  if ("fault" in place || path.includes(".")) return place;
  return { ...place, read: (state) => state?.[path] ?? null };
}

function testOf(leaf: Leaf, place: Place): ChangeTest {
  const { operator } = leaf;
  const wanted = readWanted(leaf, place);
  const isNow = (change: Transition): boolean =>
    holds("equals", { value: place.read(recordOf(change)), wanted, place });
  const wasBefore = ({ before }: Transition): boolean => holds("equals", { value: place.read(before), wanted, place });
  if (operator === "changed")
    return (change) =>
      isWritten(change) && !sameJson(settled(place.read(change.before)), settled(place.read(change.after)));
  if (operator === "changedFrom") return (change) => isWritten(change) && wasBefore(change) && !isNow(change);
  if (operator === "became") return (change) => isWritten(change) && isNow(change) && !wasBefore(change);
  return (change) => holds(operator, { value: place.read(recordOf(change)), wanted, place });
}

/** Whether values were written: to bring a record back or to take it away changes none of them. */
function isWritten(change: Transition): boolean {
  const happening = happeningOf(change);
  return happening === "created" || happening === "updated";
}

/** A field that a new record has nothing in did not change. */
function settled(value: ReturnType<Place["read"]>): ReturnType<Place["read"]> {
  return value === "" || (Array.isArray(value) && value.length === 0) ? null : value;
}
