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

/** SQL: a value for a new record; a composite's unnamed sub-fields are empty. */
export function insertedValue(statement: Statement, { field, value }: FieldValue): string {
  const { info } = field;
  if (value === null) return statement.param(info.empty, info.column);
  const whole = info.comparesAs === "composite" ? { ...asObject(info.empty), ...asObject(value) } : value;
  return statement.param(whole, info.column);
}

/** SQL over `l`, the locked row: what the field becomes. */
export function updatedValue(statement: Statement, { field, value }: FieldValue, mode: WriteMode): string {
  const { info } = field;
  const old = `l.${field.column}`;
  if (value === null) return mode === "only-if-empty" ? old : statement.param(info.empty, info.column);
  if (info.comparesAs !== "composite") {
    const next = statement.param(value, info.column);
    const held = info.comparesAs === "text" ? `nullif(${old}, '')` : old;
    return mode === "only-if-empty" ? `coalesce(${held}, ${next})` : next;
  }
  if (mode === "replace") return `${old} || ${statement.param(value, "jsonb")}`;
  const parts = Object.entries(asObject(value));
  const merged = parts.map(([key, part]) => `${literal(key)}, ${mergedPart(statement, { field, key, part, mode })}`);
  const filled = merged.length === 0 ? old : `${old} || jsonb_build_object(${merged.join(", ")})`;
  return mode === "append-unique" ? withOverflow(statement, field, { value: asObject(value), filled }) : filled;
}

interface Part {
  readonly field: CrmField;
  readonly key: string;
  readonly part: Json;
  readonly mode: WriteMode;
}

/** SQL: a composite's sub-field after it met what was there: lists grow, others are filled. */
function mergedPart(statement: Statement, { field, key, part, mode }: Part): string {
  const had = `l.${field.column} -> ${literal(key)}`;
  const next = statement.param(part, "jsonb");
  if (mode === "append-unique" && Array.isArray(part)) return appended(field, `(${had}) || ${next}`);
  return `case when (${had}) in ('""'::jsonb, 'null'::jsonb, '[]'::jsonb) then ${next} else ${had} end`;
}

/** SQL: the list without what comes again in it, in its order. Where text compares without case, so do items. */
function appended({ compares }: CrmField, list: string): string {
  const same = compares === "exactly" ? "item" : "lower(item::text)";
  return `(select coalesce(jsonb_agg(i.item order by i.position), '[]'::jsonb) from (
      select distinct on (${same}) item, position from jsonb_array_elements(${list}) with ordinality a(item, position)
      order by ${same}, position) i)`;
}

/**
 * SQL: a main value that another one keeps from its place goes to the list beside it, so that appending
 * an e-mail to a person who has one loses none.
 */
function withOverflow(
  statement: Statement,
  field: CrmField,
  { value, filled }: { value: JsonObject; filled: string },
): string {
  const { main = "", overflow } = field.info;
  const wanted = value[main];
  if (overflow === undefined || typeof wanted !== "string" || wanted === "") return filled;
  const item =
    typeof overflow.item === "string"
      ? wanted
      : Object.fromEntries(Object.entries(overflow.item).map(([key, sub]) => [key, value[sub] ?? ""]));
  const place = literal(overflow.list);
  const held = comparable(field, subFieldText(`l.${field.column}`, main));
  const isHeld = `coalesce(${held}, '') in ('', ${comparable(field, statement.param(wanted, "text"))})`;
  const list = appended(field, `(f.whole -> ${place}) || ${statement.param([item], "jsonb")}`);
  return `(select case when ${isHeld} then f.whole else f.whole || jsonb_build_object(${place}, ${list}) end
    from (select ${filled} as whole) f)`;
}

function asObject(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}
