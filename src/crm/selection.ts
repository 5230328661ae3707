import type { RecordCondition } from "../definition/conditions.ts";
import type { Statement } from "../sql.ts";
import { filterSql } from "./filter.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { foundSql } from "./search.ts";

/** A restriction: a condition, or SQL over the alias with its parameters in the statement. */
export type Where = RecordCondition | ((statement: Statement, alias: string) => string);

/** Records of an object: those that match all that is said. */
export interface Selection {
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly where?: Where | undefined;
  /** Words that records must have in what full-text search looks into. */
  readonly search?: string | undefined;
  /** Place of the filter, for faults. */
  readonly at?: string;
  /** Deleted records too. */
  readonly deleted?: boolean;
}

/** SQL over the alias `t`: that a record matches. Throws `invalid-filter`. */
export function matchingSql(statement: Statement, selection: Selection): string {
  const { object, search } = selection;
  const found = search === undefined ? [] : [foundSql(statement, object, search)];
  return [restrictionSql(statement, selection), ...found].join(" and ");
}

/** The same without what is searched for. */
export function restrictionSql(statement: Statement, { where, object, objects, at, deleted }: Selection): string {
  const alive = deleted === true ? "true" : "t.deleted_at is null";
  if (where === undefined) return alive;
  const condition =
    typeof where === "function"
      ? where(statement, "t")
      : filterSql(where, { statement, objects, object, alias: "t", at: at ?? "filter", days: "refused" });
  return `${alive} and ${condition}`;
}
