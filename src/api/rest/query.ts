import type { Request } from "express";
import { z } from "zod";
import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { parseForm } from "../body/parse-form.ts";
import { searchOf } from "../mount.ts";

const text = z.string("is given more than once");
const depth = z
  .literal("0", "takes 0: relations are given as ids, not expanded")
  .optional()
  .meta({ description: "How deep relations are expanded; only 0, which is the default" });

/** Query of a list. */
export const listQuery = z.strictObject({
  filter: text.optional().meta({
    description:
      "`field[comparator]:value`, a comma is AND, `and(…)`, `or(…)` and `not(…)` nest. Comparators: eq, neq, in, containsAny, is, gt, gte, lt, lte, startsWith, endsWith, like, ilike. Deleted records are left out unless it names `deletedAt`.",
    example: 'emails.primaryEmail[eq]:"ada@example.com",or(city[is]:NULL,city[in]:["Bern","Basel"])',
  }),
  order_by: text.optional().meta({
    description: "`field[AscNullsFirst|AscNullsLast|DescNullsFirst|DescNullsLast],…`; the id comes last by itself",
    example: "createdAt[DescNullsLast]",
  }),
  limit: text
    .regex(/^\d{1,9}$/, "takes a whole number")
    .optional()
    .meta({ description: "How many at most: 60 unless told, 200 where more is asked" }),
  starting_after: text.optional().meta({ description: "`endCursor` of the page before" }),
  ending_before: text.optional().meta({ description: "`startCursor` of the page after" }),
  depth,
});

/** Query of one record, and of a write. */
export const recordQuery = z.strictObject({ depth });

/** Query of a deletion. */
export const deleteQuery = z.strictObject({
  soft_delete: z
    .enum(["true", "false"], "takes true or false")
    .optional()
    .meta({ description: "true: the record is marked as deleted; else it is destroyed" }),
});

/**
 * The request's query by a schema. A parameter that it does not know is refused: a misspelt `filter`
 * would give every record. Throws a 400 that names each.
 */
export function parseQuery<Schema extends z.ZodObject>(request: Request, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseForm(searchOf(request.url)));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) => toIssues(issue, Object.keys(schema.shape)));
  const sentences = issues.map(({ path, message }) => `${path} ${message}`);
  throw new ProblemError(400, "invalid-query", `${sentences.join(". ")}.`, { issues });
}

function toIssues(issue: z.core.$ZodIssue, known: readonly string[]): Issue[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path.join("."), message: issue.message }];
  return issue.keys.map((key) => ({
    path: key,
    message: `is no parameter here${didYouMean(key, known) || `; there are ${known.join(", ")}`}`,
  }));
}
