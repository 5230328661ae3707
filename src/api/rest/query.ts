import type { Request } from "express";
import { z } from "zod";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { parseForm } from "../body/parse-form.ts";
import { searchOf } from "../mount.ts";

const moreThanOnce = "is given more than once";
const text = z.string(moreThanOnce);
const flag = z.enum(["true", "false"], "takes true or false").optional();
const filter = text.optional().meta({
  description:
    "`field[comparator]:value`, a comma is AND, `and(…)`, `or(…)` and `not(…)` nest; a field of a related record is `company.name`. Comparators: eq, neq, in, containsAny, is, gt, gte, lt, lte, startsWith, endsWith, like, ilike. Deleted records are left out unless it names `deletedAt`.",
  example: 'emails.primaryEmail[eq]:"ada@example.com",or(city[is]:NULL,city[in]:["Bern","Basel"])',
});
const orderBy = text.optional().meta({
  description: "`field[AscNullsFirst|AscNullsLast|DescNullsFirst|DescNullsLast],…`; the id comes last by itself",
  example: "createdAt[DescNullsLast]",
});
const limit = text
  .regex(/^\d{1,9}$/, "takes a whole number")
  .optional()
  .meta({ description: "How many at most: 60 unless told, 200 where more is asked" });
const shape = {
  depth: z
    .enum(["0", "1"], "takes 0 or 1: relations as ids, or the related records beside them")
    .optional()
    .meta({ description: "1: related records too, at most 60 of each list; default 0" }),
  fields: text
    .optional()
    .meta({ description: "Names of what is shown, with commas; the id always is", example: "name,city" }),
};

/** Query of a list. */
export const listQuery = z.strictObject({
  filter,
  order_by: orderBy,
  limit,
  starting_after: text.optional().meta({ description: "`endCursor` of the page before" }),
  ending_before: text.optional().meta({ description: "`startCursor` of the page after" }),
  search: text.optional().meta({
    description:
      "Words, or their beginnings, that records have in what full-text search looks into; best matches first",
    example: "ada love",
  }),
  ...shape,
});

/** Query of one record, and of a change of it. */
export const recordQuery = z.strictObject(shape);

const upsert = {
  upsert: flag.meta({
    description:
      "true: a record that is there by its id, or by the first unique field that has a value, is changed instead",
  }),
  match: text.optional().meta({
    description: "With `upsert=true`: the fields by which a record is the same, with commas",
    example: "domainName",
  }),
};

/** Query of what makes a record. */
export const createQuery = z.strictObject({ ...upsert, ...shape });

const atomic = flag.meta({
  description: "false: rows that are refused keep no other back, and `outcomes` says what became of each; default true",
});

/** Query of a batch that makes records. */
export const createManyQuery = z.strictObject({ ...upsert, atomic, ...shape });

/** Query of a batch that changes records. */
export const updateManyQuery = z.strictObject({ atomic, ...shape });

/** Query of a change of all that match. */
export const matchingQuery = z.strictObject({ filter, ...shape });

const softDelete = flag.meta({ description: "true: marked as deleted; else destroyed" });

/** Query of a deletion. */
export const deleteQuery = z.strictObject({ soft_delete: softDelete });

/** Query of a deletion of all that match. */
export const deleteMatchingQuery = z.strictObject({ filter, soft_delete: softDelete });

/** Query of groups. */
export const groupQuery = z.strictObject({
  group_by: z.string({ error: ({ input }) => (input === undefined ? "must be given" : moreThanOnce) }).meta({
    description: "A JSON list of one or two fields, sub-fields, or dates with their granularity",
    example: '[{"stage":true},{"closeDate":{"granularity":"MONTH"}}]',
  }),
  aggregate: text.optional().meta({
    description: "A JSON list of figures: an operation and a field",
    example: '["sumAmountAmountMicros","countNotEmptyCompanyId"]',
  }),
  filter,
  order_by: text.optional().meta({
    description: "A JSON list of what is grouped by, and of figures",
    example: '[{"aggregate":{"sumAmountAmountMicros":"DescNullsLast"}},{"stage":"AscNullsFirst"}]',
  }),
  limit: text
    .regex(/^\d{1,9}$/, "takes a whole number")
    .optional()
    .meta({ description: "How many groups at most: 200" }),
  omit_null_values: flag.meta({ description: "true: without the records that have no value to group by" }),
  include_records_sample: flag.meta({ description: "true: with the first ten records of each group" }),
  order_by_for_records: orderBy,
  view_id: text.optional().meta({ description: "A view, whose filter counts too" }),
});

/**
 * The request's query by a schema. A parameter that it does not know is refused: a misspelt `filter`
 * would give every record. Throws a 400 that names each.
 */
export function parseQuery<Schema extends z.ZodObject>(request: Request, schema: Schema): z.output<Schema> {
  const parsed = schema.safeParse(parseForm(searchOf(request.url)));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.flatMap((issue) => toIssues(issue, Object.keys(schema.shape)));
  const sentences = issues.map(({ path, message }) => sentence(`${path} ${message}`));
  throw new ProblemError(400, "invalid-query", sentences.join(" "), { issues });
}

function toIssues(issue: z.core.$ZodIssue, known: readonly string[]): Issue[] {
  if (issue.code !== "unrecognized_keys") return [{ path: issue.path.join("."), message: issue.message }];
  return issue.keys.map((key) => ({
    path: key,
    message: `is no parameter here${didYouMean(key, known) || `; there are ${known.join(", ")}`}`,
  }));
}
