import type { RecordCondition } from "../definition/conditions.ts";
import type { JsonObject } from "../json.ts";
import { literal, type Statement } from "../sql.ts";
import { constantSql } from "./ddl.ts";
import { actorJson, addEvent, stamps, type WriteOptions } from "./events.ts";
import { findTarget } from "./filter.ts";
import { matchSql } from "./match.ts";
import { mergedValue, type WriteModes } from "./modes.ts";
import { onlyIfSql } from "./only-if.ts";
import { recordColumns, recordJson, type CrmField, type CrmObject } from "./objects.ts";

/** How rows find the record that they are about. */
export interface Matcher {
  /** Names it in the rows. */
  readonly key: string;
  /** What a record must have as the row has it, or must lack. Empty: the row's id. */
  readonly parts: ReadonlyArray<{ readonly path: readonly string[]; readonly isNull: boolean }>;
}

/** A row as the statement reads it. */
export interface StatementRow {
  readonly n: number;
  /** Of the record that it is about, where it names one. */
  readonly id: string | null;
  /** Key of its matcher; null: it makes a record. */
  readonly by: string | null;
  /** Of the record that it makes; null: it makes none. */
  readonly newId: string | null;
  /** Field → value as stored. */
  readonly v: JsonObject;
}

export interface BatchStatement {
  readonly rows: readonly StatementRow[];
  readonly matchers: readonly Matcher[];
  /** Every field that a row names. */
  readonly fields: readonly CrmField[];
  readonly modes: WriteModes;
  /** What must hold of a record that is there, for it to be changed. */
  readonly onlyIf?: RecordCondition | undefined;
  /** Whether the records are given back. */
  readonly records: boolean;
}

/** SQL: the CTE `input` of the rows. */
export function addInput(statement: Statement, rows: readonly StatementRow[]): void {
  statement.with(
    "input",
    `select (r.row ->> 'n')::integer as n, (r.row ->> 'id')::uuid as id, r.row ->> 'by' as by, (r.row ->> 'newId')::uuid as new_id, r.row -> 'v' as v
     from jsonb_array_elements(${statement.param(rows, "jsonb")}) as r(row)`,
  );
}

/**
 * Adds the CTEs of a whole batch, of which the last, `changed`, has a row for each that was settled or
 * whose record was found: `n`, `id`, `outcome` (`held`: what must hold of the record does not; null: found,
 * but another row of the batch or another writer was first), `record`, `changed_fields`. Records are locked in the order of their ids.
 *
 * Postgres takes each CTE for a few rows and would join two of them row by row: what a later one needs
 * an earlier one carries along, and what is left out is asked for by `not in`, which hashes. What stands
 * beside a record's columns begins with an underscore, which no column does.
 */
export function addBatch(options: WriteOptions, batch: BatchStatement): void {
  const { statement, object, gate } = options;
  addInput(statement, batch.rows);
  statement.with("found", foundSql(statement, object, batch.matchers));
  statement.with("chosen", "select distinct on (f.id) f.id, f.n, f.by, f.v from found f order by f.id, f.n");
  statement.with(
    "locked",
    `select ${recordColumns(object, "r")}, c.n as _n, c.v as _v, ${holdsSql(options, batch)} as _holds from chosen c join ${object.table} r on r.id = c.id${gate === undefined ? "" : `, ${gate} g`}
     where r.deleted_at is null${stillSql(statement, object, batch.matchers)} order by r.id for update of r`,
  );
  addUpdates(options, batch);
  addCreates(options, batch);
  statement.with(
    "settled",
    `select u.n, u.id, 'updated' as outcome, ${recordOr(batch, "u.record")}, u.fields as changed_fields from updated u
     union all select d._n, d.id, 'unchanged', ${recordOr(batch, recordJson(object, "d"))}, d._changed from differing d where cardinality(d._changed) = 0
     union all select l._n, l.id, 'held', ${recordOr(batch, recordJson(object, "l"))}, '{}'::text[] from locked l where not l._holds
     union all select c.n, c.id, 'created', ${recordOr(batch, "c.record")}, c.fields from created c`,
  );
  statement.with(
    "changed",
    `select s.n, s.id, s.outcome, s.record, s.changed_fields from settled s
     union all select f.n, f.id, null, null::jsonb, null::text[] from found f where f.n not in (select s.n from settled s)`,
  );
}

/** SQL over `r`, the locked record: whether it may be changed. */
function holdsSql({ statement, objects, object }: WriteOptions, { onlyIf }: BatchStatement): string {
  return onlyIf === undefined ? "true" : `coalesce(${onlyIfSql(onlyIf, { statement, objects, object })}, false)`;
}

function recordOr({ records }: BatchStatement, record: string): string {
  return records ? `${record} as record` : "null::jsonb as record";
}

function foundSql(statement: Statement, object: CrmObject, matchers: readonly Matcher[]): string {
  const lookups = matchers.map((matcher) => {
    const on = matcher.parts.length === 0 ? "t.id = i.id" : matcherSql(object, matcher, { record: "t", row: "i" });
    return `select i.n, i.by, i.v, t.id, t.created_at from input i join ${object.table} t on ${on}
      where i.by = ${statement.param(matcher.key, "text")} and t.deleted_at is null`;
  });
  if (lookups.length === 0)
    return "select null::integer as n, null::text as by, null::jsonb as v, null::uuid as id where false";
  return `select distinct on (m.n) m.n, m.by, m.v, m.id from (${lookups.join(" union all ")}) m order by m.n, m.created_at, m.id`;
}

/** SQL over `r` and `c`: that a record which others changed meanwhile is still the one that the row is about. */
function stillSql(statement: Statement, object: CrmObject, matchers: readonly Matcher[]): string {
  const cases = matchers.flatMap((matcher) =>
    matcher.parts.length === 0
      ? []
      : [`when ${statement.param(matcher.key, "text")} then ${matcherSql(object, matcher, { record: "r", row: "c" })}`],
  );
  return cases.length === 0 ? "" : ` and case c.by ${cases.join(" ")} else true end`;
}

/** SQL over both aliases: that the record has what the row matches by. */
function matcherSql(object: CrmObject, { parts }: Matcher, { record, row }: { record: string; row: string }): string {
  const conditions = parts.map(({ path, isNull }) => {
    const target = findTarget(object, path, record, "match");
    return matchSql(target, isNull ? undefined : givenSql(literal(`{${path.join(",")}}`), target.type, row));
  });
  return conditions.join(" and ");
}

/** SQL over the alias: what a row has at a path, which is SQL of text[], as a type. */
export function givenSql(path: string, type: string, alias = "i"): string {
  if (type === "jsonb") return `(${alias}.v #> ${path})`;
  if (type === "text[]")
    return `array(select a.item from jsonb_array_elements_text(${alias}.v #> ${path}) with ordinality a(item, position) order by a.position)`;
  return `(${alias}.v #>> ${path})::${type}`;
}

/** What a field becomes stands beside what it is, under this name. */
function wantedColumn(position: number): string {
  return `_wanted_${position}`;
}

function addUpdates(options: WriteOptions, { fields, modes }: BatchStatement): void {
  const { statement, object } = options;
  const wanted = fields.map((field, i) => `, ${wantedValue(field, modes)} as ${wantedColumn(i)}`).join("");
  statement.with("wanted", `select l.*${wanted} from locked l where l._holds`);
  const differing = fields.map(
    ({ name, column }, i) => `case when w.${column} is distinct from w.${wantedColumn(i)} then ${literal(name)} end`,
  );
  const changed = fields.length === 0 ? `'{}'::text[]` : `array_remove(array[${differing.join(", ")}]::text[], null)`;
  statement.with("differing", `select w.*, ${changed} as _changed from wanted w`);
  const assignments = [...fields.map(({ column }, i) => `${column} = d.${wantedColumn(i)}`), stamps(options)];
  statement.with(
    "updated",
    `update ${object.table} t set ${assignments.join(", ")} from differing d
     where t.id = d.id and cardinality(d._changed) > 0
     returning t.id, d._n as n, ${recordJson(object, "d")} as before, ${recordJson(object, "t")} as record, d._changed as fields`,
  );
  addEvent(options, "updated_event", "select 'updated', u.id, u.before, u.record, u.fields from updated u");
}

/** SQL over `l`: what a field becomes; what a row does not name stays. */
function wantedValue(field: CrmField, modes: WriteModes): string {
  const { info, name } = field;
  const mode = modes[name] ?? "replace";
  const old = `l.${field.column}`;
  const empty = constantSql(info, info.empty);
  if (mode === "clear") return empty;
  const given = `l._v -> ${literal(name)}`;
  const met = mergedValue(
    field,
    {
      whole: () => storedValue(field, "l._v"),
      parts: Object.keys(info.subFields ?? {}).map((key) => ({
        key,
        value: `(${given} -> ${literal(key)})`,
        given: `(${given}) ? ${literal(key)}`,
      })),
    },
    mode,
  );
  const cleared = mode === "only-if-empty" ? old : empty;
  return `case when not l._v ? ${literal(name)} then ${old} when ${given} = 'null'::jsonb then ${cleared} else ${met} end`;
}

/** SQL: a field's value in a row, which is SQL of JSON, as the column's type. */
function storedValue({ name, info }: CrmField, row: string): string {
  const given = `${row} -> ${literal(name)}`;
  if (info.column === "jsonb") return `(${given})`;
  if (info.comparesAs === "list")
    return `(select coalesce(array_agg(a.item order by a.position), '{}') from jsonb_array_elements_text(${given}) with ordinality a(item, position))`;
  return `(${row} ->> ${literal(name)})::${info.column}`;
}

/** In the order of the rows, so that two batches with the same values wait for each other and do not lock. */
function addCreates(options: WriteOptions, { fields, modes }: BatchStatement): void {
  const { statement, object, gate } = options;
  const actor = statement.param(actorJson(options.actor), "jsonb");
  const columns = ["id", "created_by", "updated_by", ...fields.map(({ column }) => column)];
  const values = ["i.new_id", actor, actor, ...fields.map((field) => insertedValue(field, modes))];
  statement.with(
    "made",
    `insert into ${object.table} as t (${columns.join(", ")}) select ${values.join(", ")} from input i${gate === undefined ? "" : `, ${gate} g`}
     where i.new_id is not null and i.n not in (select f.n from found f) order by i.n
     on conflict do nothing returning t.id, ${recordJson(object, "t")} as record`,
  );
  statement.with(
    "created",
    `select i.n, m.id, m.record, array(select jsonb_object_keys(i.v)) as fields from made m join input i on i.new_id = m.id`,
  );
  addEvent(
    options,
    "created_event",
    "select 'created', c.id, null::jsonb, c.record, c.fields from created c order by c.n",
  );
}

/** SQL over `i`: a field of a new record; what a row does not name has its default. */
function insertedValue(field: CrmField, modes: WriteModes): string {
  const { info, name, defaultValue } = field;
  const empty = constantSql(info, info.empty);
  if (modes[name] === "clear") return empty;
  const value = storedValue(field, "i.v");
  const whole = info.comparesAs === "composite" ? `${empty} || ${value}` : value;
  const initial = constantSql(info, defaultValue ?? info.empty);
  return `case when not i.v ? ${literal(name)} then ${initial} when i.v -> ${literal(name)} = 'null'::jsonb then ${empty} else ${whole} end`;
}
