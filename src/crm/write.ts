import { StepError } from "../errors.ts";
import { createId } from "../ids.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { emptyComposite } from "./field-types.ts";
import { recordJson, type Actor, type CrmField, type CrmObject, type Objects, type Origin } from "./objects.ts";
import { linkObjects, linkTargets } from "./standard-objects.ts";
import { didYouMean } from "../definition/suggest.ts";
import type { FieldValue } from "./values.ts";

/** How a value meets what a field holds. */
export type WriteMode = "replace" | "append-unique" | "only-if-empty" | "clear";

/** What every change needs to know. */
export interface WriteOptions {
  readonly statement: Statement;
  readonly workspace: Pick<Workspace, "id">;
  readonly objects: Objects;
  readonly object: CrmObject;
  readonly actor: Actor;
  readonly origin: Origin | null;
  /** A CTE that has a row only while the change may happen; absent: it may. */
  readonly gate?: string;
}

/** A record that a task or note is linked to. */
export interface Link {
  readonly object: string;
  readonly id: string;
}

/** Number of outbox shards (DURABILITY.md §10). */
const shards = 16;

/**
 * Each function here adds CTEs to a statement, of which the last, `changed`, has at most one row:
 * `id`, `outcome`, `record`, `before` (JSON), `changed_fields` (text[]). The change, its record event
 * and whatever the caller adds commit as one. An event's id is taken after the record's row is locked.
 */
export function addCreate(
  options: WriteOptions,
  create: { id: string; values: readonly FieldValue[]; links?: readonly Link[] },
): void {
  const { statement, object } = options;
  const p = statement.param;
  const set = create.values;
  const actor = p(actorJson(options.actor), "jsonb");
  const columns = ["id", "created_by", "updated_by", ...set.map(({ field }) => field.column)];
  const values = [p(create.id, "uuid"), actor, actor, ...set.map((value) => insertedValue(statement, value))];
  statement.with(
    "created",
    `insert into ${object.table} as t (${columns.join(", ")}) select ${values.join(", ")} ${from(options)}
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

/**
 * An update of one record that is not deleted. One that changes no value writes nothing: outcome
 * `unchanged`, no event, `updatedAt` stays. No row: there is no such record, or `onlyIf` does not hold.
 */
export function addUpdate(
  options: WriteOptions,
  update: {
    id: string;
    values: readonly FieldValue[];
    modes?: Readonly<Record<string, WriteMode>>;
    /** SQL over the alias `r`, the locked row. */
    onlyIf?: string;
    links?: readonly Link[];
  },
): void {
  const { statement, object } = options;
  const p = statement.param;
  const modes = update.modes ?? {};
  const cleared = object.fields
    .filter((field) => modes[field.name] === "clear")
    .map((field) => ({ field, value: null }));
  const values = [...update.values.filter(({ field }) => modes[field.name] !== "clear"), ...cleared];
  const gate = options.gate === undefined ? "" : `, ${options.gate} g`;
  const onlyIf = update.onlyIf === undefined ? "" : ` and (${update.onlyIf})`;
  const columns = ["id", ...object.fields.map((field) => field.column)];
  statement.with(
    "locked",
    `select ${columns.map((column) => `r.${column}`).join(", ")} from ${object.table} r${gate}
     where r.id = ${p(update.id, "uuid")} and r.deleted_at is null${onlyIf} for update of r`,
  );
  const wanted = values.map(
    (value) => `${updatedValue(statement, value, modes[value.field.name] ?? "replace")} as ${value.field.column}`,
  );
  statement.with("wanted", `select ${["l.id", ...wanted].join(", ")} from locked l`);
  const differing = values.map(
    ({ field }) => `case when l.${field.column} is distinct from n.${field.column} then '${field.name}' end`,
  );
  const changedFields =
    values.length === 0 ? `'{}'::text[]` : `array_remove(array[${differing.join(", ")}]::text[], null)`;
  statement.with("differing", `select l.id, ${changedFields} as fields from locked l join wanted n on n.id = l.id`);
  const assignments = [
    ...values.map(({ field }) => `${field.column} = n.${field.column}`),
    "updated_at = greatest(clock_timestamp(), t.updated_at + interval '1 millisecond')",
    `updated_by = ${p(actorJson(options.actor), "jsonb")}`,
  ];
  statement.with(
    "updated",
    `update ${object.table} t set ${assignments.join(", ")} from wanted n join differing d on d.id = n.id
     where t.id = n.id and cardinality(d.fields) > 0 returning t.id, ${recordJson(object, "t")} as record, d.fields`,
  );
  addEvent(
    options,
    "updated_event",
    `select 'updated', u.id, ${recordJson(object, "l")}, u.record, u.fields from updated u join locked l on l.id = u.id`,
  );
  addLinks(options, "locked", update.links ?? []);
  statement.with(
    "changed",
    `select l.id, case when u.id is null then 'unchanged' else 'updated' end as outcome, coalesce(u.record, ${recordJson(object, "l")}) as record,
       ${recordJson(object, "l")} as before, coalesce(u.fields, '{}'::text[]) as changed_fields
     from locked l left join updated u on u.id = l.id`,
  );
}

/** Marks a record as deleted, or destroys it. Outcome `deleted`; no row: there is no such record. */
export function addDelete(options: WriteOptions, { id, permanently }: { id: string; permanently: boolean }): void {
  const { statement, object } = options;
  const p = statement.param;
  const gate = options.gate === undefined ? "" : `, ${options.gate} g`;
  const columns = ["id", ...object.fields.map((field) => field.column)];
  statement.with(
    "locked",
    `select ${columns.map((column) => `r.${column}`).join(", ")} from ${object.table} r${gate}
     where r.id = ${p(id, "uuid")}${permanently ? "" : " and r.deleted_at is null"} for update of r`,
  );
  const change = permanently
    ? `delete from ${object.table} t using locked l where t.id = l.id returning t.id, null::jsonb as record`
    : `update ${object.table} t set deleted_at = clock_timestamp(), updated_at = clock_timestamp(), updated_by = ${p(actorJson(options.actor), "jsonb")}
       from locked l where t.id = l.id returning t.id, ${recordJson(object, "t")} as record`;
  if (permanently) addFollowing(options);
  statement.with("removed", change);
  const kind = permanently ? "destroyed" : "deleted";
  addEvent(
    options,
    "removed_event",
    `select '${kind}', d.id, ${recordJson(object, "l")}, d.record, '{}'::text[] from removed d join locked l on l.id = d.id`,
  );
  statement.with(
    "changed",
    `select d.id, 'deleted' as outcome, coalesce(d.record, ${recordJson(object, "l")}) as record, ${recordJson(object, "l")} as before, '{}'::text[] as changed_fields
     from removed d join locked l on l.id = d.id`,
  );
}

/**
 * What refers to a record that is destroyed: links go with it, other relations are cleared, each with a
 * record event of its own. The foreign keys would do the same, silently.
 */
function addFollowing(options: WriteOptions): void {
  const { statement, objects, object } = options;
  const actor = statement.param(actorJson(options.actor), "jsonb");
  for (const other of objects.list()) {
    for (const field of other.fields.filter(({ relation }) => relation?.object === object.name)) {
      const name = `${other.name}_${field.name}`.toLowerCase();
      const columns = ["id", ...other.fields.map((known) => known.column)];
      statement.with(
        `${name}_were`,
        `select ${columns.map((column) => `r.${column}`).join(", ")} from ${other.table} r, locked l where r.${field.column} = l.id for update of r`,
      );
      const goes = field.settings["onDelete"] === "cascade";
      const change = goes
        ? `delete from ${other.table} t using ${name}_were w where t.id = w.id returning t.id, null::jsonb as record`
        : `update ${other.table} t set ${field.column} = null, updated_at = clock_timestamp(), updated_by = ${actor}
           from ${name}_were w where t.id = w.id returning t.id, ${recordJson(other, "t")} as record`;
      statement.with(`${name}_changed`, change);
      const [kind, fields] = goes ? ["destroyed", "'{}'::text[]"] : ["updated", `array['${field.name}']`];
      addEvent(
        options,
        `${name}_event`,
        `select '${kind}', c.id, ${recordJson(other, "w")}, c.record, ${fields} from ${name}_changed c join ${name}_were w on w.id = c.id`,
        other,
      );
    }
  }
}

/** Adds the record event of what `select` (kind, id, before, after, changed fields) changed. */
function addEvent(options: WriteOptions, name: string, select: string, object = options.object): void {
  const { statement } = options;
  const p = statement.param;
  statement.with(
    name,
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, before, after, changed_fields, actor, origin)
     select (hashtext(e.id::text) & ${shards - 1})::smallint, ${p(options.workspace.id, "uuid")}, ${p(object.name, "text")}, e.id, e.kind,
       e.before, e.after, e.fields, ${p(actorJson(options.actor), "jsonb")}, ${p(options.origin, "jsonb")}
     from (${select}) as e(kind, id, before, after, fields)`,
  );
}

/** Links the record of `source` to others; a link that is there already stays the one. */
function addLinks(options: WriteOptions, source: string, links: readonly Link[]): void {
  const { statement, object, objects } = options;
  const p = statement.param;
  const distinct = [...new Map(links.map((link) => [`${link.object} ${link.id}`, link])).values()];
  if (distinct.length === 0) return;
  const linkObject = objects.find(linkObjects[object.name] ?? "");
  if (linkObject === undefined)
    throw new StepError("invalid-values", `links: ${object.name} has no links; tasks and notes have.`);
  const own = getColumn(linkObject, `${object.name}Id`);
  for (const [position, link] of distinct.entries()) {
    checkTarget(link);
    const name = `link_${position}`;
    const actor = p(actorJson(options.actor), "jsonb");
    statement.with(
      name,
      `insert into ${linkObject.table} as t (id, created_by, updated_by, ${own}, ${getColumn(linkObject, `${link.object}Id`)})
       select ${p(createId(), "uuid")}, ${actor}, ${actor}, s.id, ${p(link.id, "uuid")} from ${source} s
       on conflict do nothing returning t.id, ${recordJson(linkObject, "t")} as record`,
    );
    addEvent(
      options,
      `${name}_event`,
      `select 'created', k.id, null::jsonb, k.record, array['${object.name}Id', '${link.object}Id'] from ${name} k`,
      linkObject,
    );
  }
}

function checkTarget(link: Link): void {
  if ((linkTargets as readonly string[]).includes(link.object)) return;
  throw new StepError(
    "invalid-values",
    `links: records of "${link.object}" cannot be linked${didYouMean(link.object, linkTargets)}.`,
  );
}

function getColumn(object: CrmObject, name: string): string {
  const field = object.field(name);
  if (field === undefined) throw new Error(`${object.name} has no field ${name}.`);
  return field.column;
}

function from({ gate }: WriteOptions): string {
  return gate === undefined ? "" : `from ${gate} g`;
}

function actorJson(actor: Actor): JsonObject {
  return { source: actor.source, workspaceMemberId: actor.workspaceMemberId ?? null, name: actor.name };
}

/** SQL: a value for a new record; a composite's unnamed sub-fields are empty. */
function insertedValue(statement: Statement, { field, value }: FieldValue): string {
  if (field.info.comparesAs === "composite") {
    const whole = { ...emptyComposite(field.type), ...(value as JsonObject | null) };
    return statement.param(whole, "jsonb");
  }
  return statement.param(value, field.info.column);
}

/** SQL over `l`, the locked row: what the field becomes. */
function updatedValue(statement: Statement, { field, value }: FieldValue, mode: WriteMode): string {
  const old = `l.${field.column}`;
  if (field.info.comparesAs !== "composite") {
    const next = statement.param(value, field.info.column);
    return mode === "only-if-empty" ? `coalesce(${nullIfEmpty(field, old)}, ${next})` : next;
  }
  if (value === null) return statement.param(emptyComposite(field.type), "jsonb");
  const parts = Object.entries(value as JsonObject);
  if (mode === "replace") return `${old} || ${statement.param(value, "jsonb")}`;
  return parts.reduce(
    (whole, [key, part]) =>
      `${whole} || jsonb_build_object('${key}', ${mergedPart(statement, { old, key, part, mode })})`,
    old,
  );
}

function nullIfEmpty(field: CrmField, column: string): string {
  return field.info.comparesAs === "text" ? `nullif(${column}, '')` : column;
}

/** SQL: a composite's sub-field after it met what was there. */
function mergedPart(
  statement: Statement,
  { old, key, part, mode }: { old: string; key: string; part: Json; mode: WriteMode },
): string {
  const had = `${old} -> '${key}'`;
  const next = `${statement.param(part, "jsonb")}`;
  if (mode === "append-unique" && Array.isArray(part)) {
    return `(select coalesce(jsonb_agg(i.item order by i.position), '[]'::jsonb) from (
      select item, min(position) as position from jsonb_array_elements((${had}) || ${next}) with ordinality a(item, position) group by item) i)`;
  }
  return `case when (${had}) in ('""'::jsonb, 'null'::jsonb, '[]'::jsonb) then ${next} else ${had} end`;
}
