import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { systemFields, type CrmField, type CrmObject } from "./objects.ts";
import type { FieldValue } from "./values.ts";

interface Merged {
  readonly survivor: JsonObject;
  /** In the order in which they are asked for what it lacks. */
  readonly others: readonly JsonObject[];
}

/**
 * What the survivor of a merge has in the fields that the merge decides: its own value, else the first of
 * another; lists have the items of all, and e-mails, phones and links that lose their place go to the
 * list beside it, so that nothing by which a person can be reached is lost.
 */
export function mergedValues(object: CrmObject, { survivor, others }: Merged): FieldValue[] {
  const merged = new Set([survivor, ...others].flatMap((record) => textOf(record["id"]) ?? []));
  const fields = object.fields.filter(({ name, type }) => !systemFields.has(name) && type !== "POSITION");
  return fields.map((field) => {
    // A relation to one of the merged records would point to itself afterwards.
    const valueOf = ({ name, relation }: CrmField, record: JsonObject): Json => {
      const value = record[name] ?? null;
      return relation !== undefined && typeof value === "string" && merged.has(value) ? null : value;
    };
    const records = [survivor, ...others];
    const group = field.relation?.group ?? null;
    if (group === null)
      return {
        field,
        value: mergedValue(
          field,
          records.map((record) => valueOf(field, record)),
        ),
      };
    // Of a relation to several objects a record has one: all of it comes from one record.
    const together = fields.filter(({ relation }) => relation?.group === group);
    const source = records.find((record) => together.some((each) => valueOf(each, record) !== null));
    return { field, value: source === undefined ? null : valueOf(field, source) };
  });
}

function mergedValue(field: CrmField, values: readonly Json[]): Json {
  const { info } = field;
  const filled = values.filter((value) => isFilled(field, value));
  const [first = values[0] ?? null] = filled;
  if (info.comparesAs === "list") return distinct(field, filled.flatMap(asList));
  if (info.overflow === undefined || !isJsonObject(first)) return first;
  return mergedContacts(
    field,
    filled.filter((value) => isJsonObject(value)),
  );
}

/** A composite with a list beside its main value: one main value, and all the others in the list. */
function mergedContacts(field: CrmField, values: readonly JsonObject[]): JsonObject {
  const { main = "", overflow } = field.info;
  const leading = values.find((value) => textOf(value[main]) !== "") ?? values[0] ?? {};
  if (overflow === undefined) return leading;
  const itemOf = (value: JsonObject): Json =>
    typeof overflow.item === "string"
      ? (value[overflow.item] ?? "")
      : Object.fromEntries(Object.entries(overflow.item).map(([key, sub]) => [key, value[sub] ?? ""]));
  const mainItem = itemOf(leading);
  const beside = values.flatMap((value) => [
    ...(value === leading || textOf(value[main]) === "" ? [] : [itemOf(value)]),
    ...asList(value[overflow.list] ?? []),
  ]);
  const [, ...rest] = distinct(field, [mainItem, ...beside]);
  return { ...leading, [overflow.list]: rest };
}

/** The items without what comes again. Where text compares without case, so do they. */
function distinct({ compares }: CrmField, items: readonly Json[]): Json[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    // Postgres gives the keys of an object in an order of its own.
    const written = JSON.stringify(
      isJsonObject(item) ? Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)) : item,
    );
    const key = compares === "exactly" ? written : written.toLowerCase();
    const isNew = !seen.has(key);
    seen.add(key);
    return isNew;
  });
}

/** Whether a field has a value: of a composite any sub-field, where one of them is the main one that or its list. */
function isFilled({ info }: CrmField, value: Json): boolean {
  if (info.comparesAs !== "composite" || !isJsonObject(value)) return !isNothing(value);
  const telling =
    info.overflow === undefined || info.main === undefined ? Object.keys(value) : [info.main, info.overflow.list];
  return telling.some((sub) => !isNothing(value[sub] ?? null));
}

function isNothing(value: Json): boolean {
  return value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

function asList(value: Json): Json[] {
  return Array.isArray(value) ? value : [];
}
