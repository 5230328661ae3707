import { expandRecords, relationNames } from "../../crm/expand.ts";
import type { CrmObject } from "../../crm/objects.ts";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import type { Place } from "./place.ts";
import { spellingsOf, withSpellings } from "./spellings.ts";

/** How records are shown: what `depth` and `fields` of a query say. */
export interface Shape {
  /** Whether relations are expanded. */
  readonly expanded: boolean;
  /** Names of what is shown besides the id; undefined: all. */
  readonly fields: ReadonlySet<string> | undefined;
}

const mostFields = 200;

/** The shape that a query asks for. Throws a 400 for what the object does not have. */
export function shapeOf(
  object: CrmObject,
  query: { depth?: "0" | "1" | undefined; fields?: string | undefined },
): Shape {
  const expanded = query.depth === "1";
  if (query.fields === undefined) return { expanded, fields: undefined };
  const names = query.fields.split(",").map((name) => name.trim());
  if (names.length > mostFields) throw refused(`names more than ${mostFields}`);
  for (const name of names) checkName(object, name, expanded);
  return { expanded, fields: new Set(["id", ...names]) };
}

function checkName(object: CrmObject, name: string, expanded: boolean): void {
  const spellings = spellingsOf(object);
  const plain = [
    "id",
    ...object.fields.map((field) => field.name),
    ...spellings.flatMap((each) => [each.key, each.name]),
  ];
  const relations = relationNames(object);
  if (plain.includes(name) || (expanded && relations.includes(name))) return;
  if (relations.includes(name)) throw refused(`names the relation "${name}", which is there with depth=1 only`);
  const meant = didYouMean(name, expanded ? [...plain, ...relations] : plain) || `; it has ${plain.join(", ")}`;
  throw refused(`names "${name}", which ${object.name} does not have${meant}`);
}

function refused(message: string): ProblemError {
  return new ProblemError(400, "invalid-query", sentence(`fields ${message}`), {
    issues: [{ path: "fields", message }],
  });
}

/** The records as they are answered. */
export async function present(
  { objects, object, writer }: Place,
  records: readonly JsonObject[],
  { expanded, fields }: Shape,
): Promise<JsonObject[]> {
  const shown = expanded
    ? await expandRecords(writer.pool, { objects, object, records, ...wanted(object, fields) })
    : records;
  return shown.map((record) => {
    const whole = withSpellings(object, expanded ? withRelatedSpellings(object, record) : record);
    if (fields === undefined) return whole;
    return Object.fromEntries(Object.entries(whole).filter(([name]) => fields.has(name)));
  });

  /** Links among what points to a record have their names too. */
  function withRelatedSpellings(owner: CrmObject, record: JsonObject): JsonObject {
    const named = owner.inverses.flatMap(({ name, object: other }) => {
      const list = record[name];
      const link = objects.find(other);
      if (!Array.isArray(list) || link === undefined) return [];
      return [[name, list.map((item) => withSpellings(link, item as JsonObject))] as const];
    });
    return { ...record, ...Object.fromEntries(named) };
  }
}

/** Another name of a relation asks for the relation. */
function wanted(object: CrmObject, fields: ReadonlySet<string> | undefined): { wants?: (name: string) => boolean } {
  if (fields === undefined) return {};
  const others = new Map(spellingsOf(object).map(({ field, name }) => [field.relation?.name, name]));
  return { wants: (name) => fields.has(name) || fields.has(others.get(name) ?? "") };
}

/** One record as it is answered. */
export async function presentOne(place: Place, record: JsonObject, shape: Shape): Promise<JsonObject> {
  const [shown = record] = await present(place, [record], shape);
  return shown;
}
