import type { CrmField, CrmObject } from "../../crm/objects.ts";
import { linkObjects } from "../../crm/standard-objects.ts";
import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";

/**
 * Twenty has called the ends of a link `personId`, and later `targetPersonId`; clients generated from its
 * OpenAPI document say `targetPerson`. Here a link has the first, and is read and written by all three.
 */
export interface Spelling {
  readonly field: CrmField;
  /** `targetPersonId` */
  readonly key: string;
  /** `targetPerson`: the id, and with `depth=1` the record. */
  readonly name: string;
}

/** The other names of an object's fields; none but links have some. */
export function spellingsOf(object: CrmObject): Spelling[] {
  const [owner] = Object.entries(linkObjects).find(([, link]) => link === object.name) ?? [];
  if (owner === undefined) return [];
  return object.fields.flatMap((field) => {
    const { relation } = field;
    if (relation === undefined || relation.object === owner) return [];
    const name = `target${relation.name.charAt(0).toUpperCase()}${relation.name.slice(1)}`;
    return [{ field, name, key: `${name}Id` }];
  });
}

/** Values by the names that the object has for them. Throws a 400 where two names of one field say two things. */
export function fromSpellings(object: CrmObject, values: JsonObject): JsonObject {
  const spellings = spellingsOf(object);
  if (spellings.length === 0) return values;
  const written: JsonObject = { ...values };
  for (const { field, key, name } of spellings)
    for (const other of [key, name]) {
      const value = written[other];
      if (value === undefined) continue;
      delete written[other];
      if (written[field.name] !== undefined && written[field.name] !== value) throw contradiction(field, other);
      written[field.name] = value;
    }
  return written;
}

function contradiction({ name }: CrmField, other: string): ProblemError {
  const message = `is another name of ${name}, and the two differ; send one of them`;
  return new ProblemError(400, "invalid-values", `${other}: ${message}.`, { issues: [{ path: other, message }] });
}

/** The path with the object's own name at its beginning. */
export function fromSpelling(object: CrmObject, path: readonly string[]): readonly string[] {
  const [first, ...rest] = path;
  const spelling = spellingsOf(object).find(({ key, name }) => key === first || name === first);
  if (spelling === undefined) return path;
  return [rest.length > 0 ? (spelling.field.relation?.name ?? spelling.field.name) : spelling.field.name, ...rest];
}

/** The record with every name of its fields. */
export function withSpellings(object: CrmObject, record: JsonObject): JsonObject {
  const others = spellingsOf(object).flatMap(({ field, key, name }): [string, Json][] => {
    const id = record[field.name] ?? null;
    return [
      [key, id],
      [name, record[field.relation?.name ?? ""] ?? id],
    ];
  });
  return others.length === 0 ? record : { ...record, ...Object.fromEntries(others) };
}
