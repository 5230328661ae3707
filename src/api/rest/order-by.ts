import { findTarget } from "../../crm/filter.ts";
import type { CrmObject } from "../../crm/objects.ts";
import type { Sort } from "../../crm/read.ts";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError, StepError } from "../../errors.ts";
import type { Json } from "../../json.ts";
import { fromSpelling } from "./spellings.ts";

/** Which way, and where records without a value come. */
type Direction = Required<Omit<Sort, "field">>;

const directions: Readonly<Record<string, Direction>> = {
  AscNullsFirst: { direction: "asc", nulls: "first" },
  AscNullsLast: { direction: "asc", nulls: "last" },
  DescNullsFirst: { direction: "desc", nulls: "first" },
  DescNullsLast: { direction: "desc", nulls: "last" },
};

/** More of them make the condition that a cursor stands for large, and no order better. */
const mostFields = 10;

/** Parses `order_by`: `field[Direction],…`; a field alone is AscNullsFirst. Throws a 400. */
export function parseOrderBy(source: string, object: CrmObject): Sort[] {
  if (source.trim() === "") return [];
  const items = source.split(",");
  if (items.length > mostFields) throw refused(`there are more than ${mostFields} fields`);
  return items.map((item) => parseItem(item.trim(), object));
}

function parseItem(item: string, object: CrmObject): Sort {
  const [, field, direction = "AscNullsFirst"] = /^([A-Za-z]\w*(?:\.\w+)*)(?:\[(\w*)\])?$/.exec(item) ?? [];
  if (field === undefined)
    throw refused(`"${item}" is not understood; write field[Direction], as in createdAt[DescNullsLast]`);
  const path = fromSpelling(object, field.split(".")).join(".");
  checkField(path, object);
  return { field: path, ...directionOf(direction, field) };
}

/** A direction by Twenty's name for it. Throws a 400. */
export function directionOf(direction: Json, field: string): Direction {
  const order =
    typeof direction === "string" && Object.hasOwn(directions, direction) ? directions[direction] : undefined;
  if (order !== undefined) return order;
  const known = Object.keys(directions);
  const word = typeof direction === "string" ? direction : JSON.stringify(direction);
  throw refused(
    `unknown direction "${word}" of ${field}${didYouMean(word, known) || `; there are ${known.join(", ")}`}`,
  );
}

function checkField(field: string, object: CrmObject): void {
  try {
    const { comparesAs } = findTarget(object, field.split("."), "t", "order_by");
    if (comparesAs === "composite") throw refused(`"${field}" has no order; name a sub-field of it`);
    if (comparesAs === "list") throw refused(`"${field}" is a list, which has no order`);
  } catch (error) {
    if (error instanceof StepError) throw new ProblemError(400, "invalid-order-by", error.message, { cause: error });
    throw error;
  }
}

function refused(message: string): ProblemError {
  return new ProblemError(400, "invalid-order-by", sentence(`order_by: ${message}`));
}
