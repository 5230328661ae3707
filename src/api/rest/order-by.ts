import type { Sort } from "../../crm/read.ts";
import { ProblemError } from "../../errors.ts";

const directions: Readonly<Record<string, Omit<Sort, "field">>> = {
  AscNullsFirst: { direction: "asc", nulls: "first" },
  AscNullsLast: { direction: "asc", nulls: "last" },
  DescNullsFirst: { direction: "desc", nulls: "first" },
  DescNullsLast: { direction: "desc", nulls: "last" },
};

/** Parses `order_by`: `field[Direction],…`; a field alone is AscNullsFirst. */
export function parseOrderBy(source: string | undefined): Sort[] {
  if (source === undefined || source.trim() === "") return [];
  return source.split(",").map((item) => {
    const [, field, direction = "AscNullsFirst"] = /^\s*([A-Za-z][\w.]*)(?:\[(\w+)\])?\s*$/.exec(item) ?? [];
    const order = directions[direction];
    if (field === undefined || order === undefined) {
      throw new ProblemError(
        400,
        "invalid-order-by",
        `order_by: "${item}" is not understood. Write field[AscNullsLast]; there are ${Object.keys(directions).join(", ")}.`,
      );
    }
    return { field, ...order };
  });
}
