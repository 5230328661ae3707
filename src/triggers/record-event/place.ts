import type { CrmField, CrmObject } from "../../crm/objects.ts";
import { didYouMean } from "../../definition/suggest.ts";
import type { JsonObject, Json } from "../../json.ts";
import { valueAt } from "./event.ts";

type ComparesAs = CrmField["info"]["comparesAs"];

/** What a path of a condition names: a field, or a composite's sub-field. */
export interface Place {
  /** Undefined: the id. */
  readonly field: CrmField | undefined;
  readonly comparesAs: ComparesAs;
  /** How its text compares. */
  readonly compares: CrmField["compares"];
  readonly timeZone: string;
  /** Whether values are read by the field itself, and not as a sub-field's. */
  readonly isWhole: boolean;
  read(state: JsonObject | null): Json;
}

/** The place, or what is wrong with the path: conditions of triggers look at the record itself. */
export function findPlace(object: CrmObject, written: string): Place | { readonly fault: string } {
  const path = written.split(".");
  const [name = "", sub, ...rest] = path;
  const { timeZone } = object;
  if (name === "id" && sub === undefined)
    return { field: undefined, comparesAs: "uuid", compares: "exactly", timeZone, isWhole: true, read: reader(path) };
  if (object.relation(name) !== undefined) return { fault: relatedFault(object, path) };
  const field = object.field(name);
  if (field === undefined)
    return {
      fault: `${object.name} has no field "${name}"${didYouMean(
        name,
        object.fields.map((known) => known.name),
      )}`,
    };
  if (rest.length > 0) return { fault: `"${written}" is no field of ${object.name}` };
  const { info } = field;
  const named = sub ?? info.main;
  if (named === undefined) {
    const { comparesAs } = info;
    const compares = comparesAs === "text" ? field.compares : "exactly";
    return { field, comparesAs, compares, timeZone, isWhole: true, read: reader([name]) };
  }
  return findSubField(field, named, timeZone);
}

function findSubField(field: CrmField, sub: string, timeZone: string): Place | { readonly fault: string } {
  const { info } = field;
  const part = info.subFields !== undefined && Object.hasOwn(info.subFields, sub) ? info.subFields[sub] : undefined;
  if (part === undefined) {
    const known = Object.keys(info.subFields ?? {});
    return {
      fault: `${field.name} has no sub-field "${sub}"${known.length === 0 ? "; it has none" : didYouMean(sub, known)}`,
    };
  }
  const comparesAs = part.kind === "text" || part.kind === "list" ? part.kind : "number";
  // Where the main value compares without case, so do those in the list beside it.
  const isFolded = part.kind === "list" && field.compares === "without-case";
  const compares = info.main === sub || isFolded ? field.compares : "exactly";
  return { field, comparesAs, compares, timeZone, isWhole: false, read: reader([field.name, sub]) };
}

function reader(path: readonly string[]): Place["read"] {
  return (state) => valueAt(state, path);
}

function relatedFault(object: CrmObject, path: readonly string[]): string {
  const [name = ""] = path;
  const id = object.relation(name)?.name ?? `${name}Id`;
  if (path.length === 1) return `${object.name} has no field "${name}"; did you mean "${id}"?`;
  return `"${path.join(".")}" is of a related record, and a trigger's condition looks at the ${object.name} itself as it was at the event. Ask for it in a filter step: {{ trigger.record.${path.join(".")} }}`;
}
