import { findRecord } from "../crm/read.ts";
import type { Objects } from "../crm/objects.ts";
import type { CompiledNode } from "../definition/compile.ts";
import type { PathSegment, Reference } from "../definition/expressions.ts";
import type { Json } from "../json.ts";
import { pathKey, readKnown, type KnownRow, type Needs, type PlanIndex } from "../runs/scope.ts";
import type { Sql } from "../sql.ts";

/** A reference that may go on from a record by a relation: `found.first.company.name`. */
export interface Following {
  /** Ledger path of the step that gave the record. */
  readonly path: string;
  /** Where in its output the record is. */
  readonly record: readonly PathSegment[];
  readonly object: string;
  /** What follows: names of relations, then of a field. */
  readonly names: readonly string[];
}

/** Relations that a path may follow, as in filters. */
const mostRelations = 3;

/** The references that may follow relations; whether they do, the objects of the moment tell. */
export function followingsOf(
  references: readonly Reference[],
  index: PlanIndex,
  nodes: readonly CompiledNode[],
): Following[] {
  return references.flatMap(({ path: [root, ...rest] }): Following[] => {
    const step = typeof root === "string" ? index.byId.get(root) : undefined;
    const records = step === undefined ? undefined : nodes[step.node]?.records;
    if (step === undefined || records === undefined) return [];
    return records.paths.flatMap((pattern): Following[] => {
      const names = rest.slice(pattern.length).map(String);
      const record = rest.slice(0, pattern.length);
      const fits = names.length > 1 && pattern.every((key, i) => key === "*" || key === record[i]);
      return fits ? [{ path: step.id, record, object: records.object, names }] : [];
    });
  });
}

/** The needs with the ids that relations are followed by. */
export function withFollowed({ trigger, rows }: Needs, followings: readonly Following[]): Needs {
  const ids = (path: string): PathSegment[][] =>
    followings.flatMap((following) =>
      following.path === path ? [[...following.record, `${following.names[0]}Id`]] : [],
    );
  return { trigger, rows: rows.map((row) => ({ ...row, subs: [...row.subs, ...ids(row.path)] })) };
}

/**
 * What is known of earlier steps, with the records that relations lead to, as they are now. One that is
 * not set is null, so that a path through it is missing.
 */
export async function followRelations(
  sql: Sql,
  { objects, followings }: { objects: Objects; followings: readonly Following[] },
  row: (path: string) => KnownRow | undefined,
): Promise<(path: string) => KnownRow | undefined> {
  const followed = new Map<string, Map<string, Json>>();
  for (const { path, record, object, names } of followings) {
    const parts = followed.get(path) ?? new Map<string, Json>();
    followed.set(path, parts);
    const known = row(path);
    if (known === undefined) continue;
    let place: PathSegment[] = [...record];
    let own = objects.find(object);
    for (const name of names.slice(0, Math.min(mostRelations, names.length - 1))) {
      const relation = own?.relation(name);
      const target = relation?.relation === undefined ? undefined : objects.find(relation.relation.object);
      if (relation === undefined || target === undefined) break;
      const id = readKnown({ ...known, parts: new Map([...known.parts, ...parts]) }, [...place, relation.name]);
      place = [...place, name];
      if (!parts.has(pathKey(place)))
        parts.set(pathKey(place), typeof id === "string" ? ((await findRecord(sql, target, id)) ?? null) : null);
      own = target;
    }
  }
  return (path) => {
    const known = row(path);
    const parts = followed.get(path);
    return known === undefined || parts === undefined || parts.size === 0
      ? known
      : { ...known, parts: new Map([...known.parts, ...parts]) };
  };
}
