import type { Json, JsonObject } from "../../../src/json.ts";
import { emptyOf, isFilled, uniqueKey, type Typed } from "./values.ts";

/** A field of the model. It keeps its key when it is renamed. */
export interface Field extends Typed {
  readonly key: string;
  readonly name: string;
  readonly required: boolean;
  readonly unique: boolean;
  readonly searchable: boolean;
  readonly standard: boolean;
  readonly defaultValue: Json;
  /** Of selects. */
  readonly options: readonly string[];
  readonly relation?: { readonly target: string; readonly cascades: boolean; readonly group: string | null };
  readonly hidden: boolean;
  /** Whether an index over several fields that comes with the workspace needs it. */
  readonly isHeld?: boolean;
}

/** Fields that together must be unique, by their keys. */
export interface Together {
  readonly id: string;
  readonly fields: readonly string[];
}

export interface Item {
  readonly id: string;
  readonly createdAt: string;
  readonly deleted: boolean;
  /** Field's key → value. */
  readonly values: JsonObject;
}

export interface Kind {
  /** What relations name it by; its first name. */
  readonly key: string;
  readonly name: string;
  readonly plural: string;
  readonly standard: boolean;
  readonly hidden: boolean;
  readonly fields: readonly Field[];
  readonly together: readonly Together[];
  readonly items: ReadonlyMap<string, Item>;
}

/** Everything that a workspace holds. Never changed: each step gives another one. */
export type World = ReadonlyMap<string, Kind>;

/** What a record event says. */
export interface Expected {
  readonly object: string;
  readonly id: string;
  readonly kind: "created" | "updated" | "deleted" | "restored" | "destroyed";
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  readonly changed: readonly string[];
}

/** What a step comes to: refused with one of the codes, or another world. */
export type Verdict =
  | { readonly refused: ReadonlySet<string> }
  | { readonly world: World; readonly events: Expected[] };

export function refused(...codes: string[]): Verdict {
  return { refused: new Set(codes) };
}

export function getKind(world: World, key: string): Kind {
  const kind = world.get(key);
  if (kind === undefined) throw new Error(`The model has no object ${key}.`);
  return kind;
}

export function withKind(world: World, kind: Kind): World {
  return new Map(world).set(kind.key, kind);
}

export function withItem(world: World, key: string, item: Item): World {
  const kind = getKind(world, key);
  return withKind(world, { ...kind, items: new Map(kind.items).set(item.id, item) });
}

export function withoutItem(world: World, key: string, id: string): World {
  const kind = getKind(world, key);
  const items = new Map(kind.items);
  items.delete(id);
  return withKind(world, { ...kind, items });
}

/** The fields that callers see. */
export function visibleFields(world: World, { fields }: Kind): Field[] {
  return fields.filter(
    ({ hidden, relation }) => !hidden && (relation === undefined || !getKind(world, relation.target).hidden),
  );
}

export function visibleKinds(world: World): Kind[] {
  return [...world.values()].filter(({ hidden }) => !hidden);
}

export function alive({ items }: Kind): Item[] {
  return [...items.values()].filter(({ deleted }) => !deleted);
}

export function valueOf(item: Item, field: Field): Json {
  return item.values[field.key] ?? null;
}

/** A record as the API shows it, without what the CRM stamps on it. */
export function show(world: World, kind: Kind, item: Item): JsonObject {
  const values = visibleFields(world, kind).map((field) => [field.name, valueOf(item, field)]);
  return { id: item.id, ...Object.fromEntries(values) };
}

/** What a new record has in each field before anything is said. */
export function initialValues({ fields }: Kind): JsonObject {
  return Object.fromEntries(fields.map((field) => [field.key, defaultOf(field)]));
}

export function defaultOf(field: Field): Json {
  const empty = emptyOf(field);
  if (field.defaultValue === null) return empty;
  const isComposite = typeof empty === "object" && empty !== null && !Array.isArray(empty);
  return isComposite ? { ...empty, ...(field.defaultValue as JsonObject) } : field.defaultValue;
}

/** What stands against a record as it would be. `before`: as it is, where it is. */
export function problemsOf(world: World, kind: Kind, { item, before }: { item: Item; before?: Item }): Set<string> {
  const problems = new Set<string>();
  if (item.deleted) return problems;
  for (const field of kind.fields) {
    if (field.required && !isFilled(field, valueOf(item, field))) problems.add("invalid-values");
    const { relation } = field;
    const target = valueOf(item, field);
    const isNew = before === undefined || valueOf(before, field) !== target;
    if (
      relation !== undefined &&
      target !== null &&
      isNew &&
      !getKind(world, relation.target).items.has(String(target))
    )
      problems.add("related-record-not-found");
  }
  for (const group of groupsOf(kind))
    if (group.filter((field) => valueOf(item, field) !== null).length > 1) problems.add("invalid-values");
  if (sameAs(kind, item).length > 0) problems.add("record-exists");
  return problems;
}

/** The relations that make up each relation to several objects. */
function groupsOf({ fields }: Kind): Field[][] {
  const groups = new Map<string, Field[]>();
  for (const field of fields) {
    const group = field.relation?.group ?? null;
    if (group !== null) groups.set(group, [...(groups.get(group) ?? []), field]);
  }
  return [...groups.values()];
}

/** Living records, others than this, that have one of its unique values. */
export function sameAs(kind: Kind, item: Item, keysOf = uniqueKeys): Item[] {
  const keys = new Set(keysOf(kind, item));
  return alive(kind).filter((other) => other.id !== item.id && keysOf(kind, other).some((key) => keys.has(key)));
}

/** All that no other living record may have as well, as texts. */
export function uniqueKeys(kind: Kind, item: Item): string[] {
  const together = kind.together.flatMap(({ id, fields }) => {
    const parts = fields.flatMap((key) => {
      const field = kind.fields.find((each) => each.key === key);
      return field === undefined ? [] : (uniqueKey(field, valueOf(item, field)) ?? []);
    });
    return parts.length === fields.length ? [JSON.stringify([id, ...parts])] : [];
  });
  return [...ownKeys(kind, item), ...together];
}

/** The same of single fields. */
export function ownKeys({ fields }: Kind, item: Item): string[] {
  return fields.flatMap((field) => {
    const key = field.unique ? uniqueKey(field, valueOf(item, field)) : undefined;
    return key === undefined ? [] : [JSON.stringify([field.key, key])];
  });
}

/** The order in which records came. */
export function byAge(a: Item, b: Item): number {
  return a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1;
}
