import { didYouMean } from "../../definition/suggest.ts";
import type { Issue } from "../../errors.ts";
import { systemFields, type CrmField, type CrmObject, type Objects } from "../objects.ts";
import { unknownField } from "../values.ts";
import { spellingsOf } from "./spellings.ts";
import type { TextKind } from "./texts.ts";

/** Where a column's values go. */
export type Target =
  | { readonly kind: "id" }
  /** A field, or with `part` a composite's sub-field. */
  | { readonly kind: "value"; readonly field: CrmField; readonly part?: string; readonly text: TextKind }
  /** A relation, by what is unique in the object that it points to. */
  | {
      readonly kind: "related";
      readonly field: CrmField;
      readonly object: CrmObject;
      readonly path: readonly string[];
    };

/** A column of the file that is read. */
export interface Column {
  readonly position: number;
  readonly name: string;
  readonly target: Target;
}

export interface Columns {
  readonly read: readonly Column[];
  /** Names of columns that are left out. */
  readonly ignored: readonly string[];
}

export interface TargetContext {
  readonly objects: Objects;
  readonly object: CrmObject;
}

/** Columns that tell why a row was refused: a file of refused rows can be sent again as it is. */
export const refusalColumns = ["_row", "_reason"] as const;

/** Of a currency: its amount in units, where the field holds millionths. */
const amountPart = "amount";

/** What a path names. A text: what is wrong with it. */
export function findTarget({ objects, object }: TargetContext, path: string): Target | string {
  const [name = "", ...rest] = path.split(".");
  if (path === "id") return { kind: "id" };
  const relation = object.relation(name);
  if (relation?.relation !== undefined && rest.length > 0) {
    const other = objects.find(relation.relation.object);
    if (other === undefined) return `"${name}" leads to no object`;
    return relatedTarget(relation, other, rest);
  }
  const field = object.field(name);
  if (field === undefined) return unknownField(object, name);
  if (systemFields.has(name)) return `"${name}" is set by the CRM itself`;
  return valueTarget(object, field, rest);
}

function valueTarget(object: CrmObject, field: CrmField, rest: readonly string[]): Target | string {
  const { info, name } = field;
  const [part, ...more] = rest;
  const known = Object.keys(info.subFields ?? {});
  if (part === undefined) return { kind: "value", field, text: field.type };
  if (more.length === 0 && field.type === "CURRENCY" && part === amountPart)
    return { kind: "value", field, part: "amountMicros", text: "micros" };
  const sub = more.length === 0 && Object.hasOwn(info.subFields ?? {}, part) ? info.subFields?.[part] : undefined;
  if (sub !== undefined) return { kind: "value", field, part, text: sub.kind };
  if (known.length === 0) return `${object.name}.${name} has no parts`;
  return `${object.name}.${name} has no sub-field "${rest.join(".")}"${didYouMean(part, known) || `; it has ${known.join(", ")}`}`;
}

function relatedTarget(field: CrmField, object: CrmObject, path: readonly string[]): Target | string {
  const [name = "", ...rest] = path;
  if (name === "id" && rest.length === 0) return { kind: "value", field, text: "RELATION" };
  const unique = object.fields.filter((each) => each.unique);
  const found = unique.find((each) => each.name === name);
  const isMain = rest.length === 0 || (rest.length === 1 && rest[0] === found?.info.main);
  if (found !== undefined && isMain) return { kind: "related", field, object, path: [name] };
  const names = ["id", ...unique.map((each) => each.name)].map((each) => `${field.relation?.name}.${each}`);
  return `a record of ${object.name} is found by what is unique: ${names.join(", ")}`;
}

/** What is wrong with a mapping before the file is seen, by the place of each fault. */
export function checkMapping(context: TargetContext, mapping: Readonly<Record<string, string | null>>): Issue[] {
  return Object.entries(mapping).flatMap(([column, path]) => {
    const target = path === null ? undefined : findTarget(context, path);
    return typeof target === "string" ? [{ path: `mapping.${column}`, message: target }] : [];
  });
}

/**
 * Where each column of a file goes: by the mapping, else by its name, which is a path or the label that
 * people see. Columns that the CRM itself sets, and those without a name, are left out.
 */
export function findColumns(
  context: TargetContext,
  names: readonly string[],
  mapping: Readonly<Record<string, string | null>>,
): { columns: Columns; issues: Issue[] } {
  const spellings = spellingsOf(context);
  const issues: Issue[] = [];
  const read: Column[] = [];
  const ignored: string[] = [];
  for (const [position, name] of names.entries()) {
    const path = pathOf(name, { context, mapping, spellings });
    if (path === undefined) ignored.push(name);
    else {
      const target = findTarget(context, path);
      if (typeof target === "string") issues.push({ path: name, message: target });
      else read.push({ position, name, target });
    }
  }
  issues.push(...missingColumns(names, mapping), ...doubleColumns(read));
  if (read.length === 0 && issues.length === 0) issues.push({ path: "", message: "no column goes anywhere" });
  return { columns: { read, ignored }, issues };
}

/** Undefined: the column is left out. */
function pathOf(
  name: string,
  {
    context,
    mapping,
    spellings,
  }: {
    context: TargetContext;
    mapping: Readonly<Record<string, string | null>>;
    spellings: ReturnType<typeof spellingsOf>;
  },
): string | undefined {
  const mapped = Object.hasOwn(mapping, name) ? mapping[name] : undefined;
  if (mapped === null) return undefined;
  if (mapped !== undefined) return mapped;
  if (name.trim() === "" || refusalColumns.some((column) => column === name)) return undefined;
  const path = typeof findTarget(context, name) === "string" ? (spellings.find(name) ?? name) : name;
  return systemFields.has(path.split(".")[0] ?? "") && path !== "id" ? undefined : path;
}

function missingColumns(names: readonly string[], mapping: Readonly<Record<string, string | null>>): Issue[] {
  return Object.keys(mapping)
    .filter((column) => !names.includes(column))
    .map((column) => ({
      path: column,
      message: `the mapping names a column that the file does not have${didYouMean(column, names)}`,
    }));
}

function doubleColumns(columns: readonly Column[]): Issue[] {
  const seen = new Map<string, string>();
  return columns.flatMap(({ name, target }) => {
    const key = keyOf(target);
    const other = seen.get(key);
    seen.set(key, name);
    return other === undefined ? [] : [{ path: name, message: `goes where the column "${other}" goes: ${key}` }];
  });
}

/** The field, or the part of one, that a target writes. */
function keyOf(target: Target): string {
  if (target.kind === "id") return "id";
  const part = target.kind === "value" ? target.part : undefined;
  const { main } = target.field.info;
  if (target.kind === "value" && part === undefined && main !== undefined) return `${target.field.name}.${main}`;
  return part === undefined ? target.field.name : `${target.field.name}.${part}`;
}
