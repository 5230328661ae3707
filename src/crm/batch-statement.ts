import type { JsonObject } from "../json.ts";
import { literal, type Statement } from "../sql.ts";
import { constantSql } from "./ddl.ts";
import { actorJson, addEvent, stamps, type WriteOptions } from "./events.ts";
import { findTarget } from "./filter.ts";
import { matchSql } from "./match.ts";
import { mergedValue, type WriteModes } from "./modes.ts";
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
 * whose record was found: `n`, `id`, `outcome` (null: found, but another row of the batch or another
 * writer was first), `record`, `changed_fields`. Records are locked in the order of their ids.
 */
export function addBatch(options: WriteOptions, batch: BatchStatement): void {
  const { statement, object, gate } = options;
  addInput(statement, batch.rows);
  statement.with("found", foundSql(statement, object, batch.matchers));
  statement.with("chosen", "select distinct on (f.id) f.id, f.n from found f order by f.id, f.n");
  statement.with(
    "locked",
    `select ${recordColumns(object, "r")} from ${object.table} r${gate === undefined ? "" : `, ${gate} g`}
     where r.id in (select c.id from chosen c) and r.deleted_at is null order by r.id for update of r`,
  );
  addUpdates(options, batch);
  addCreates(options, batch);
  const before = recordJson(object, "l");
  const updated = batch.records ? `coalesce(u.record, ${before})` : "null::jsonb";
  statement.with(
    "settled",
    `select c.n, l.id, case when u.id is null then 'unchanged' else 'updated' end as outcome, ${updated} as record,
       coalesce(u.fields, '{}'::text[]) as changed_fields
     from locked l join chosen c on c.id = l.id left join updated u on u.id = l.id
     union all select c.n, c.id, 'created', ${batch.records ? "c.record" : "null::jsonb"}, c.fields from created c`,
  );
  statement.with(
    "changed",
    `select coalesce(s.n, f.n) as n, coalesce(s.id, f.id) as id, s.outcome, s.record, s.changed_fields
     from settled s full join found f on f.n = s.n`,
  );
}

function foundSql(statement: Statement, object: CrmObject, matchers: readonly Matcher[]): string {
  const lookups = matchers.map(({ key, parts }) => {
    const conditions = parts.map(({ path, isNull }) => {
      const target = findTarget(object, path, "t", "match");
      return matchSql(target, isNull ? undefined : `(i.v #>> ${literal(`{${path.join(",")}}`)})::${target.type}`);
    });
    const on = parts.length === 0 ? "t.id = i.id" : conditions.join(" and ");
    return `select i.n, t.id, t.created_at from input i join ${object.table} t on ${on}
      where i.by = ${statement.param(key, "text")} and t.deleted_at is null`;
  });
  if (lookups.length === 0) return "select null::integer as n, null::uuid as id where false";
  return `select distinct on (m.n) m.n, m.id from (${lookups.join(" union all ")}) m order by m.n, m.created_at, m.id`;
}

function addUpdates(options: WriteOptions, { fields, modes }: BatchStatement): void {
  const { statement, object } = options;
  const wanted = fields.map((field) => `${wantedValue(field, modes)} as ${field.column}`);
  statement.with(
    "wanted",
    `select ${["l.id", ...wanted].join(", ")} from locked l join chosen c on c.id = l.id join input i on i.n = c.n`,
  );
  const differing = fields.map(
    ({ name, column }) => `case when l.${column} is distinct from n.${column} then ${literal(name)} end`,
  );
  const changed = fields.length === 0 ? `'{}'::text[]` : `array_remove(array[${differing.join(", ")}]::text[], null)`;
  statement.with("differing", `select l.id, ${changed} as fields from locked l join wanted n on n.id = l.id`);
  const assignments = [...fields.map(({ column }) => `${column} = n.${column}`), stamps(options)];
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
}

/** SQL over `l` and `i`: what a field becomes; what a row does not name stays. */
function wantedValue(field: CrmField, modes: WriteModes): string {
  const { info, name } = field;
  const mode = modes[name] ?? "replace";
  const old = `l.${field.column}`;
  const empty = constantSql(info, info.empty);
  if (mode === "clear") return empty;
  const given = `i.v -> ${literal(name)}`;
  const met = mergedValue(
    field,
    {
      whole: () => storedValue(field, "i"),
      parts: Object.keys(info.subFields ?? {}).map((key) => ({
        key,
        value: `(${given} -> ${literal(key)})`,
        given: `(${given}) ? ${literal(key)}`,
      })),
    },
    mode,
  );
  const cleared = mode === "only-if-empty" ? old : empty;
  return `case when not i.v ? ${literal(name)} then ${old} when ${given} = 'null'::jsonb then ${cleared} else ${met} end`;
}

/** SQL: a field's value in the row of the alias, as the column's type. */
function storedValue({ name, info }: CrmField, alias: string): string {
  const given = `${alias}.v -> ${literal(name)}`;
  if (info.column === "jsonb") return `(${given})`;
  if (info.comparesAs === "list")
    return `(select coalesce(array_agg(a.item order by a.position), '{}') from jsonb_array_elements_text(${given}) with ordinality a(item, position))`;
  return `(${alias}.v ->> ${literal(name)})::${info.column}`;
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
     where i.new_id is not null and not exists (select 1 from found f where f.n = i.n) order by i.n
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
  const value = storedValue(field, "i");
  const whole = info.comparesAs === "composite" ? `${empty} || ${value}` : value;
  const initial = constantSql(info, defaultValue ?? info.empty);
  return `case when not i.v ? ${literal(name)} then ${initial} when i.v -> ${literal(name)} = 'null'::jsonb then ${empty} else ${whole} end`;
}
