import type { Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { literal, type Statement } from "../sql.ts";
import { comparable, subFieldText } from "./normalize.ts";
import { systemFields, type CrmField, type CrmObject } from "./objects.ts";
import { unknownField, type FieldValue } from "./values.ts";

export const writeModes = ["replace", "append-unique", "only-if-empty", "clear"] as const;

/** How a value meets what a field holds. */
export type WriteMode = (typeof writeModes)[number];

export type WriteModes = Readonly<Record<string, WriteMode>>;

/** What is wrong with the modes of a write, each with its place below `at`. */
export function checkModes(object: CrmObject, modes: Readonly<Record<string, unknown>>, at: string): Issue[] {
  return Object.entries(modes).flatMap(([name, mode]) => {
    const message = faultOfMode(object, name, mode);
    return message === undefined ? [] : [{ path: `${at}.${name}`, message }];
  });
}

function faultOfMode(object: CrmObject, name: string, mode: unknown): string | undefined {
  const field = object.field(name);
  if (field === undefined) return unknownField(object, name);
  if (systemFields.has(name)) return `"${name}" is set by the CRM itself`;
  if (mode === "append-unique" && listsOf(field).length === 0)
    return `"append-unique" adds to lists, and ${object.name}.${name} holds none`;
  if (mode === "clear" && field.required) return `${object.name}.${name} must have a value`;
  return undefined;
}

function listsOf({ name, info }: CrmField): string[] {
  if (info.comparesAs === "list") return [name];
  return Object.entries(info.subFields ?? {}).flatMap(([key, sub]) => (sub.kind === "list" ? [key] : []));
}

/** The values with those of the fields to clear among them. */
export function withCleared(object: CrmObject, values: readonly FieldValue[], modes: WriteModes): FieldValue[] {
  const cleared = object.fields.filter((field) => modes[field.name] === "clear");
  return [
    ...values.filter(({ field }) => modes[field.name] !== "clear"),
    ...cleared.map((field) => ({ field, value: null })),
  ];
}

/** A value on its way into a field, as SQL. */
export interface Incoming {
  /** As the column's type; of a composite the sub-fields that are given. */
  whole(): string;
  /** Of a composite: each sub-field that may be given, as JSON, and SQL for whether it is. */
  readonly parts: ReadonlyArray<{ readonly key: string; readonly value: string; readonly given: string }>;
}

/** A value by parameters of the statement; parts have their own only where the mode looks at them. */
function incomingValue(statement: Statement, { field, value }: FieldValue, mode: WriteMode): Incoming {
  const isComposite = field.info.comparesAs === "composite" && mode !== "replace";
  return {
    whole: () => statement.param(value, field.info.column),
    parts: Object.entries(isComposite ? asObject(value) : {}).map(([key, part]) => ({
      key,
      value: statement.param(part, "jsonb"),
      given: "true",
    })),
  };
}

/** SQL: a value for a new record; a composite's unnamed sub-fields are empty. */
export function insertedValue(statement: Statement, { field, value }: FieldValue): string {
  const { info } = field;
  if (value === null) return statement.param(info.empty, info.column);
  const whole = info.comparesAs === "composite" ? { ...asObject(info.empty), ...asObject(value) } : value;
  return statement.param(whole, info.column);
}

/** SQL over `l`, the locked row: what the field becomes. */
export function updatedValue(statement: Statement, given: FieldValue, mode: WriteMode): string {
  const { field, value } = given;
  if (value === null)
    return mode === "only-if-empty" ? `l.${field.column}` : statement.param(field.info.empty, field.info.column);
  return mergedValue(field, incomingValue(statement, given, mode), mode);
}

/** SQL over `l`: what the field becomes when a value that is not null meets it. */
export function mergedValue(field: CrmField, incoming: Incoming, mode: WriteMode): string {
  const { info } = field;
  const old = `l.${field.column}`;
  if (info.comparesAs === "list" && mode === "append-unique") return appendedItems(old, incoming.whole());
  if (info.comparesAs !== "composite") {
    const held =
      info.comparesAs === "text" ? `nullif(${old}, '')` : info.comparesAs === "list" ? `nullif(${old}, '{}')` : old;
    return mode === "only-if-empty" ? `coalesce(${held}, ${incoming.whole()})` : incoming.whole();
  }
  if (mode === "replace") return `${old} || ${incoming.whole()}`;
  const merged = incoming.parts.map((part) => `${literal(part.key)}, ${mergedPart(field, part, mode)}`);
  const filled = merged.length === 0 ? old : `${old} || jsonb_build_object(${merged.join(", ")})`;
  return mode === "append-unique" ? withOverflow(field, incoming, filled) : filled;
}

/** SQL: a composite's sub-field after it met what was there: lists grow, others are filled. */
function mergedPart(field: CrmField, { key, value, given }: Incoming["parts"][number], mode: WriteMode): string {
  const had = `l.${field.column} -> ${literal(key)}`;
  const isList = field.info.subFields?.[key]?.kind === "list";
  const met =
    mode === "append-unique" && isList
      ? appended(field, `(${had}) || ${value}`)
      : `case when (${had}) in ('""'::jsonb, 'null'::jsonb, '[]'::jsonb) then ${value} else ${had} end`;
  return given === "true" ? met : `case when ${given} then ${met} else ${had} end`;
}

/** SQL: the list without what comes again in it, in its order. Where text compares without case, so do items. */
function appended({ compares }: CrmField, list: string): string {
  const same = compares === "exactly" ? "item" : "lower(item::text)";
  return `(select coalesce(jsonb_agg(i.item order by i.position), '[]'::jsonb) from (
      select distinct on (${same}) item, position from jsonb_array_elements(${list}) with ordinality a(item, position)
      order by ${same}, position) i)`;
}

/** SQL: the list with the items that it does not hold yet, in their order. */
function appendedItems(old: string, items: string): string {
  return `(select coalesce(array_agg(i.item order by i.position), '{}') from (
      select distinct on (item) item, position from unnest(${old} || ${items}) with ordinality a(item, position)
      order by item, position) i)`;
}

/**
 * SQL: a main value that another one keeps from its place goes to the list beside it, so that appending
 * an e-mail to a person who has one loses none.
 */
function withOverflow(field: CrmField, { parts }: Incoming, filled: string): string {
  const { main = "", overflow } = field.info;
  const partOf = (key: string): string | undefined => parts.find((part) => part.key === key)?.value;
  const wanted = partOf(main);
  if (overflow === undefined || wanted === undefined) return filled;
  const text = `(${wanted} #>> '{}')`;
  const item =
    typeof overflow.item === "string"
      ? wanted
      : `jsonb_build_object(${Object.entries(overflow.item)
          .map(([key, sub]) => `${literal(key)}, coalesce(${partOf(sub) ?? "null::jsonb"}, '""'::jsonb)`)
          .join(", ")})`;
  const place = literal(overflow.list);
  const held = comparable(field, subFieldText(`l.${field.column}`, main));
  const isHeld = `coalesce(${text}, '') = '' or coalesce(${held}, '') in ('', ${comparable(field, text)})`;
  const list = appended(field, `(f.whole -> ${place}) || jsonb_build_array(${item})`);
  return `(select case when ${isHeld} then f.whole else f.whole || jsonb_build_object(${place}, ${list}) end
    from (select ${filled} as whole) f)`;
}

function asObject(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}
