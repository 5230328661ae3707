import type { RecordCondition } from "../definition/conditions.ts";
import { StepError } from "../errors.ts";
import { isUuid } from "../ids.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Statement } from "../sql.ts";
import { filterSql } from "./filter.ts";
import type { CrmObject, Objects } from "./objects.ts";
import { FieldFault, parseMoment } from "./plain-values.ts";

/** What must hold of the record, in the statement that changes it, for the change to happen. */
export type OnlyIf = RecordCondition | Unchanged;

/** That the record is still the version that was read. */
export interface Unchanged {
  /** A record as a search or a write gave it. */
  readonly unchangedSince: Json;
}

/** SQL over the alias `r`, the locked row. Throws StepError where it cannot be understood. */
export function onlyIfSql(
  onlyIf: OnlyIf,
  context: { statement: Statement; objects: Objects; object: CrmObject },
): string {
  if ("unchangedSince" in onlyIf) return unchangedSql(onlyIf.unchangedSince, context.statement);
  return filterSql(onlyIf, { ...context, alias: "r", at: "onlyIf", days: "refused" });
}

function unchangedSql(record: Json, statement: Statement): string {
  const { id, updatedAt } = isJsonObject(record) ? record : {};
  if (typeof id !== "string" || !isUuid(id) || updatedAt === undefined) throw notARecord();
  const moment = readMoment(updatedAt);
  return `r.id = ${statement.param(id, "uuid")} and r.updated_at = ${statement.param(moment, "timestamptz")}`;
}

function readMoment(value: Json): string {
  try {
    return parseMoment(value, "UTC");
  } catch (error) {
    throw error instanceof FieldFault ? notARecord() : error;
  }
}

function notARecord(): StepError {
  return new StepError(
    "invalid-input",
    'onlyIf.unchangedSince takes a record with its id and updatedAt, as in "{{ found.first }}".',
  );
}
