import { addDetached } from "./detach.ts";
import { actorJson, addEvent, stamps, type WriteOptions } from "./events.ts";
import { addLinks, type Link } from "./links.ts";
import { insertedValue, updatedValue, withCleared, type WriteModes } from "./modes.ts";
import { recordColumns, recordJson } from "./objects.ts";
import type { Statement } from "../sql.ts";
import type { FieldValue } from "./values.ts";

/**
 * Each function here adds CTEs to a statement, of which the last, `changed`, has at most one row:
 * `id`, `outcome`, `record`, `before` (JSON), `changed_fields` (text[]). The change, its record event
 * and whatever the caller adds commit as one. An event's id is taken after the record's row is locked.
 */
export function addCreate(
  options: WriteOptions,
  create: { id: string; values: readonly FieldValue[]; links?: readonly Link[] | undefined },
): void {
  const { statement, object, gate } = options;
  const p = statement.param;
  const set = create.values;
  const actor = p(actorJson(options.actor), "jsonb");
  const columns = ["id", "created_by", "updated_by", ...set.map(({ field }) => field.column)];
  const values = [p(create.id, "uuid"), actor, actor, ...set.map((value) => insertedValue(statement, value))];
  statement.with(
    "created",
    `insert into ${object.table} as t (${columns.join(", ")}) select ${values.join(", ")} ${gate === undefined ? "" : `from ${gate} g`}
     returning t.id, ${recordJson(object, "t")} as record`,
  );
  const names = p(
    set.map(({ field }) => field.name),
    "text[]",
  );
  addEvent(options, "created_event", `select 'created', c.id, null::jsonb, c.record, ${names} from created c`);
  addLinks(options, "created", create.links ?? []);
  statement.with(
    "changed",
    `select c.id, 'created' as outcome, c.record, null::jsonb as before, ${names} as changed_fields from created c`,
  );
}

export interface Update {
  readonly id: string;
  readonly values: readonly FieldValue[];
  readonly modes?: WriteModes | undefined;
  /** SQL over the alias `r`, the locked row. */
  readonly onlyIf?: string | undefined;
  readonly links?: readonly Link[] | undefined;
}

/**
 * An update of one record that is not deleted. One that changes no value writes nothing: outcome
 * `unchanged`, no event, `updatedAt` stays. No row: there is no such record, or `onlyIf` does not hold.
 */
export function addUpdate(options: WriteOptions, update: Update): void {
  addLocked(options, update.id, `r.deleted_at is null${update.onlyIf === undefined ? "" : ` and (${update.onlyIf})`}`);
  addUpdateOfLocked(options, update);
}

/** The same of all records in the CTE `locked`; `changed` has a row for each. */
export function addUpdateOfLocked(options: WriteOptions, update: Omit<Update, "id" | "onlyIf">): void {
  const { statement, object } = options;
  const modes = update.modes ?? {};
  const values = withCleared(object, update.values, modes);
  const wanted = values.map(
    (value) => `${updatedValue(statement, value, modes[value.field.name] ?? "replace")} as ${value.field.column}`,
  );
  statement.with("wanted", `select ${["l.id", ...wanted].join(", ")} from locked l`);
  const differing = values.map(
    ({ field }) => `case when l.${field.column} is distinct from n.${field.column} then '${field.name}' end`,
  );
  const fields = values.length === 0 ? `'{}'::text[]` : `array_remove(array[${differing.join(", ")}]::text[], null)`;
  statement.with("differing", `select l.id, ${fields} as fields from locked l join wanted n on n.id = l.id`);
  const assignments = [...values.map(({ field }) => `${field.column} = n.${field.column}`), stamps(options)];
  statement.with(
    "updated",
    `update ${object.table} t set ${assignments.join(", ")} from wanted n join differing d on d.id = n.id
     where t.id = n.id and cardinality(d.fields) > 0 returning t.id, ${recordJson(object, "t")} as record, d.fields`,
  );
  const before = recordJson(object, "l");
  addEvent(
    options,
    "updated_event",
    `select 'updated', u.id, ${before}, u.record, u.fields from updated u join locked l on l.id = u.id`,
  );
  addLinks(options, "locked", update.links ?? []);
  statement.with(
    "changed",
    `select l.id, case when u.id is null then 'unchanged' else 'updated' end as outcome, coalesce(u.record, ${before}) as record,
       ${before} as before, coalesce(u.fields, '{}'::text[]) as changed_fields
     from locked l left join updated u on u.id = l.id`,
  );
}

/**
 * Marks a record as deleted, or destroys it. Outcome `deleted`; no row: there is no such record. What
 * points to a destroyed record is cleared, links to it go with it, and each such record has its event.
 */
export function addDelete(options: WriteOptions, { id, permanently }: { id: string; permanently: boolean }): void {
  addLocked(options, id, permanently ? "true" : "r.deleted_at is null");
  addDeleteOfLocked(options, { permanently });
}

/** The same of what is in the CTE `locked`: one record, or any number that are only marked. */
export function addDeleteOfLocked(options: WriteOptions, { permanently }: { permanently: boolean }): void {
  const { statement, object } = options;
  if (permanently) addDetached(options);
  const change = permanently
    ? `delete from ${object.table} t using locked l where t.id = l.id returning t.id, null::jsonb as record`
    : `update ${object.table} t set deleted_at = clock_timestamp(), ${stamps(options)}
       from locked l where t.id = l.id returning t.id, ${recordJson(object, "t")} as record`;
  statement.with("removed", change);
  const before = recordJson(object, "l");
  addEvent(
    options,
    "removed_event",
    `select '${permanently ? "destroyed" : "deleted"}', d.id, ${before}, d.record, '{}'::text[] from removed d join locked l on l.id = d.id`,
  );
  statement.with(
    "changed",
    `select d.id, 'deleted' as outcome, coalesce(d.record, ${before}) as record, ${before} as before, '{}'::text[] as changed_fields
     from removed d join locked l on l.id = d.id`,
  );
}

/** Adds the CTE `answer` after a deletion, with its `outcome` also where there was no such record: `absent`. */
export function addAnswer(statement: Statement, id: string): void {
  const outcome = "coalesce((select c.outcome from changed c), 'absent')";
  statement.with("answer", `select ${statement.param(id, "uuid")} as id, ${outcome} as outcome`);
}

/** The record's row as it is when nobody else can change it any more. */
export function addLocked({ statement, object, gate }: WriteOptions, id: string, condition: string): void {
  statement.with(
    "locked",
    `select ${recordColumns(object, "r")} from ${object.table} r${gate === undefined ? "" : `, ${gate} g`}
     where r.id = ${statement.param(id, "uuid")} and ${condition} for update of r`,
  );
}
