import { createStatement } from "../sql.ts";
import { addEvent, stamps, type WriteOptions } from "./events.ts";
import { changeMatching, type Matching } from "./matching.ts";
import { recordJson, type CrmObject } from "./objects.ts";
import { findTaken, isTaken, notFound, recordExists, untilSettled } from "./refusals.ts";
import type { FieldValue } from "./values.ts";
import type { Change, Writer } from "./writer.ts";

/**
 * Brings back the records in the CTE `locked`: `changed` has a row for each, `restored`, or `unchanged`
 * where it was not deleted. What pointed to them still does.
 */
export function addRestoreOfLocked(options: WriteOptions): void {
  const { statement, object } = options;
  statement.with(
    "restored",
    `update ${object.table} t set deleted_at = null, ${stamps(options)} from locked l
     where t.id = l.id and l.deleted_at is not null returning t.id, ${recordJson(object, "t")} as record`,
  );
  const before = recordJson(object, "l");
  addEvent(
    options,
    "restored_event",
    `select 'restored', r.id, ${before}, r.record, '{}'::text[] from restored r join locked l on l.id = r.id`,
  );
  statement.with(
    "changed",
    `select l.id, case when r.id is null then 'unchanged' else 'restored' end as outcome, coalesce(r.record, ${before}) as record,
       ${before} as before, '{}'::text[] as changed_fields
     from locked l left join restored r on r.id = l.id`,
  );
}

/**
 * Brings a deleted record back; one that is not deleted stays as it is. Throws `record-exists` where
 * another record has one of its unique values by now, and `record-not-found`.
 */
export async function restoreRecord(
  writer: Writer,
  { object, id }: { readonly object: CrmObject; readonly id: string },
): Promise<Change> {
  const [change] = await restoreMatching(writer, {
    object,
    where: (statement, alias) => `${alias}.id = ${statement.param(id, "uuid")}`,
  });
  if (change === undefined) throw notFound(object, id);
  return change;
}

/** Brings back every record that matches: all of them or none. */
export async function restoreMatching(writer: Writer, matching: Matching): Promise<Change[]> {
  const { object } = matching;
  return untilSettled(object, async () => {
    try {
      return await changeMatching(writer, matching, addRestoreOfLocked);
    } catch (error) {
      if (!isTaken(error)) throw error;
      throw await recordExists(writer.pool, object, { values: await takenOf(writer, matching) });
    }
  });
}

/** The unique values by which one of the deleted records meets another. */
async function takenOf({ pool }: Writer, { object, where }: Matching): Promise<FieldValue[]> {
  const unique = object.fields.filter((field) => field.unique);
  if (unique.length === 0) return [];
  const statement = createStatement();
  const values = unique.map(({ name, column, info }) => `'${name}', ${info.json(`r.${column}`)}`).join(", ");
  const { text, values: parameters } = statement.query(
    `select jsonb_build_object(${values}) as held from ${object.table} r where r.deleted_at is not null and ${where(statement, "r")} order by r.id limit 100`,
  );
  const { rows } = await pool.query<{ held: { [name: string]: FieldValue["value"] } }>(text, parameters);
  for (const { held } of rows) {
    const given = unique.map((field) => ({ field, value: held[field.name] ?? null }));
    if ((await findTaken(pool, object, given)) !== undefined) return given;
  }
  return [];
}
