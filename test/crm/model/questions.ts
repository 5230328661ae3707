import type { Operator, RecordCondition } from "../../../src/definition/conditions.ts";
import type { Sort } from "../../../src/crm/keyset.ts";
import type { Json } from "../../../src/json.ts";
import type { Dice } from "./dice.ts";
import { drawFilled, drawId, drawPart, spans } from "./draws.ts";
import { read } from "./filters.ts";
import { composites, contacts } from "./values.ts";
import { getKind, visibleFields, type Field, type Kind, type World } from "./world.ts";

/** A condition of at most so many levels. */
export function drawCondition(dice: Dice, world: World, kind: Kind, depth = 2): RecordCondition {
  const more = () => drawCondition(dice, world, kind, depth - 1);
  const several = () => Array.from({ length: dice.below(3) }, more);
  if (depth > 0 && dice.oneIn(4)) return { all: several() };
  if (depth > 0 && dice.oneIn(4)) return { any: several() };
  if (depth > 0 && dice.oneIn(6)) return { not: more() };
  return drawLeaf(dice, world, { kind, path: "", relations: 3 });
}

interface Place {
  readonly kind: Kind;
  /** What leads to it. */
  readonly path: string;
  /** How many relations may follow. */
  readonly relations: number;
}

function drawLeaf(dice: Dice, world: World, { kind, path, relations }: Place): RecordCondition {
  const fields = visibleFields(world, kind);
  const field = dice.pick(fields);
  if (field.relation !== undefined && relations > 0 && !dice.oneIn(4)) {
    const target = getKind(world, field.relation.target);
    return drawLeaf(dice, world, {
      kind: target,
      path: `${path}${field.name.replace(/Id$/, "")}.`,
      relations: relations - 1,
    });
  }
  if (dice.oneIn(15))
    return { field: `${path}id`, operator: dice.pick(["equals", "notEquals"]), value: drawId(dice, kind) };
  return drawComparison(dice, world, { field, path });
}

function drawComparison(dice: Dice, world: World, { field, path }: { field: Field; path: string }): RecordCondition {
  const shape = composites[field.type];
  const isWhole = shape === undefined || (contacts[field.type] !== undefined && dice.oneIn(3));
  const key = isWhole ? undefined : dice.pick(Object.keys(shape ?? {}));
  const isEmptyOnly = shape !== undefined && contacts[field.type] === undefined && dice.oneIn(6);
  const named = `${path}${field.name}${key === undefined || isEmptyOnly ? "" : `.${key}`}`;
  if (isEmptyOnly) return { field: named, operator: dice.pick(["isEmpty", "isNotEmpty"]) };
  const value = (): Json => valueFor(dice, world, { field, key });
  const operator = dice.pick(operatorsOf(field, key));
  if (operator === "isEmpty" || operator === "isNotEmpty") return { field: named, operator };
  if (operator === "inLast" || operator === "inNext") return { field: named, operator, value: dice.pick(spans) };
  if (operator === "in" || operator === "notIn")
    return { field: named, operator, value: Array.from({ length: dice.below(3) }, value) };
  if (operator === "startsWith" || operator === "endsWith") {
    const text = String(value());
    return {
      field: named,
      operator,
      value: operator === "endsWith" ? text.slice(-2) : text.slice(0, dice.pick([2, 250])),
    };
  }
  if ((operator === "contains" || operator === "notContains") && isListed(field, key))
    return { field: named, operator, value: [value()].flat()[0] ?? field.options[0] ?? "ada" };
  return { field: named, operator, value: value() };
}

function isListed(field: Field, key: string | undefined): boolean {
  return asOf(field, key) === "list";
}

function asOf(field: Field, key: string | undefined): string {
  return read(
    field,
    { id: "", createdAt: "", deleted: false, values: { [field.key]: composites[field.type] ?? null } },
    key,
  ).as;
}

function operatorsOf(field: Field, key: string | undefined): readonly Operator[] {
  const equality: Operator[] = ["equals", "notEquals", "isEmpty", "isNotEmpty"];
  const order: Operator[] = ["greaterThan", "greaterThanOrEqual", "lessThan", "lessThanOrEqual"];
  const as = asOf(field, key);
  if (as === "list" || as === "json") return [...equality, "contains", "notContains"];
  const ordered: Operator[] = [...equality, ...order, "in", "notIn"];
  if (as === "text" && field.type !== "SELECT" && field.type !== "RATING")
    return [...ordered, "contains", "notContains", "startsWith", "endsWith"];
  return field.type === "DATE_TIME" ? [...ordered, "inLast", "inNext"] : ordered;
}

function valueFor(dice: Dice, world: World, { field, key }: { field: Field; key: string | undefined }): Json {
  const part = key ?? contacts[field.type]?.main;
  const value = part === undefined ? drawFilled(dice, world, field) : drawPart(dice, field.type, part);
  // Where values must be unique empty text is none, and nobody compares with it.
  if (value === "" && field.unique) return "ada";
  return value ?? (part === undefined ? null : isListed(field, key) ? [] : asOf(field, key) === "number" ? 0 : "ada");
}

/** Fields, and sub-fields, to sort by. */
export function drawSort(dice: Dice, world: World, kind: Kind): Sort[] {
  const paths = visibleFields(world, kind).flatMap((field) => {
    const keys = composites[field.type] === undefined ? [undefined] : Object.keys(composites[field.type] ?? {});
    return keys.flatMap((key) => {
      const isOrdered = ["text", "number", "plain"].includes(asOf(field, key));
      return isOrdered ? [`${field.name}${key === undefined ? "" : `.${key}`}`] : [];
    });
  });
  const chosen = Array.from({ length: dice.below(3) }, () => dice.pick(["createdAt", ...paths]));
  return [...new Set(chosen)].map((field) => ({
    field,
    direction: dice.pick(["asc", "desc"]),
    nulls: dice.pick(["first", "last"]),
  }));
}
