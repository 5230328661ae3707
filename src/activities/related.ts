import { findRecord } from "../crm/read.ts";
import type { Objects } from "../crm/objects.ts";
import type { CompiledNode } from "../definition/compile/node.ts";
import type { PathSegment, Reference } from "../definition/expressions.ts";
import { textOf, type Json } from "../json.ts";
import { readKnown, type KnownRow } from "../runs/known-rows.ts";
import type { Needs } from "../runs/needs.ts";
import { pathKey } from "../runs/path-key.ts";
import type { PlanIndex } from "../runs/plan-index.ts";
import type { Sql } from "../sql.ts";

/** A reference that may go on from a record by a relation: `found.first.company.name`, `trigger.record.company.name`. */
export interface Following {
  /** Ledger path of the step that gave the record; null: the trigger did. */
  readonly path: string | null;
  /** Where in its output, or below `trigger`, the record is. */
  readonly record: readonly PathSegment[];
  /** Its object's name; of a trigger's where that stands below `trigger`, since the run tells. */
  readonly object: string | readonly PathSegment[];
  /** What follows: names of relations, then of a field. */
  readonly names: readonly string[];
}

/** Relations that a path may follow, as in filters. */
const mostRelations = 3;

/** Where triggers give records, and where the name of their object stands; `*` is any item of a list. */
const ofTriggers: ReadonlyArray<{ readonly record: readonly string[]; readonly object: readonly string[] }> = [
  { record: ["record"], object: ["object"] },
  { record: ["records", "*"], object: ["object"] },
  { record: ["events", "*", "record"], object: ["events", "*", "object"] },
];

/** The references that may follow relations; whether they do, the objects of the moment tell. */
export function followingsOf(
  references: readonly Reference[],
  index: PlanIndex,
  nodes: readonly CompiledNode[],
): Following[] {
  return references.flatMap(({ path: [root, ...rest] }): Following[] => {
    if (root === "trigger")
      return ofTriggers.flatMap(({ record: pattern, object }): Following[] => {
        const found = recordIn(rest, pattern);
        return found === undefined
          ? []
          : [{ path: null, ...found, object: object.map((key, i) => (key === "*" ? (rest[i] ?? key) : key)) }];
      });
    const step = typeof root === "string" ? index.byId.get(root) : undefined;
    const records = step === undefined ? undefined : nodes[step.node]?.records;
    if (step === undefined || records === undefined) return [];
    return records.paths.flatMap((pattern): Following[] => {
      const found = recordIn(rest, pattern);
      return found === undefined ? [] : [{ path: step.id, ...found, object: records.object }];
    });
  });
}

/** The record that a path begins with, if it goes on from there by more than a field. */
function recordIn(
  path: readonly PathSegment[],
  pattern: readonly string[],
): Pick<Following, "record" | "names"> | undefined {
  const names = path.slice(pattern.length).map(String);
  const record = path.slice(0, pattern.length);
  const fits = names.length > 1 && pattern.every((key, i) => key === "*" || key === record[i]);
  return fits ? { record, names } : undefined;
}

/** The needs with the ids that relations are followed by. */
export function withFollowed({ trigger, rows, loops }: Needs, followings: readonly Following[]): Needs {
  const ids = (path: string | null): PathSegment[][] =>
    followings.flatMap((following) =>
      following.path === path ? [[...following.record, `${following.names[0]}Id`]] : [],
    );
  const objects = followings.flatMap(({ object }) => (typeof object === "string" ? [] : [object]));
  const more = [...ids(null), ...objects];
  const known = new Map([...trigger, ...more].map((path) => [pathKey(path), path]));
  return {
    trigger: more.length === 0 ? trigger : [...known.values()],
    rows: rows.map((row) => ({ ...row, subs: [...row.subs, ...ids(row.path)] })),
    loops,
  };
}

/** What is known before a step: of the trigger and of earlier steps. */
export interface Known {
  readonly trigger: ReadonlyMap<string, Json>;
  row(path: string): KnownRow | undefined;
}

/**
 * What is known, with the records that relations lead to, as they are now. One that is not set is null,
 * so that a path through it is missing.
 */
export async function followRelations(
  sql: Sql,
  { objects, followings }: { objects: Objects; followings: readonly Following[] },
  { trigger, row }: Known,
): Promise<Known> {
  const ofTrigger: KnownRow = { status: "done", error: null, parts: trigger };
  const followed = new Map<string | null, Map<string, Json>>();
  for (const { path, record, object, names } of followings) {
    const parts = followed.get(path) ?? new Map<string, Json>();
    followed.set(path, parts);
    const known = path === null ? ofTrigger : row(path);
    if (known === undefined) continue;
    let place: PathSegment[] = [...record];
    let own = objects.find(textOf(typeof object === "string" ? object : readKnown(known, object)) ?? "");
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
  return {
    trigger: new Map([...trigger, ...(followed.get(null) ?? [])]),
    row(path) {
      const known = row(path);
      const parts = followed.get(path);
      return known === undefined || parts === undefined || parts.size === 0
        ? known
        : { ...known, parts: new Map([...known.parts, ...parts]) };
    },
  };
}
