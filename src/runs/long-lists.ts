import type { PathSegment } from "../definition/expressions.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { pathKey } from "./path-key.ts";
import { listPath, type ListCounts } from "./step-lists.ts";

/** A list of an earlier step that is kept as pages. */
export interface LongList {
  /** Ledger path of the step. */
  readonly path: string;
  readonly name: string;
  readonly count: number;
}

/** What stands in the places of long lists, until somebody reads them. */
const stands = new WeakMap<JsonObject, LongList>();

/** A value that stands for the list: handed on as it is, it is the list; as JSON it is `{ count }`. */
export function standFor(list: LongList): JsonObject {
  const stand = { count: list.count };
  stands.set(stand, list);
  return stand;
}

/** The list that a value stands for. */
export function longListOf(value: Json | undefined): LongList | undefined {
  return value !== undefined && isJsonObject(value) ? stands.get(value) : undefined;
}

/** What is known of a step's output, by sub-path, with a stand in the place of each list that is kept as pages. */
export function withStands(
  parts: ReadonlyMap<string, Json>,
  { path, subs, lists }: { path: string; subs: ReadonlyArray<readonly PathSegment[]>; lists: ListCounts | null },
): ReadonlyMap<string, Json> {
  if (lists === null) return parts;
  const marked = new Map(parts);
  for (const [name, count] of Object.entries(lists)) {
    const place = listPath(name);
    const stand = standFor({ path, name, count });
    for (const sub of subs) {
      const shared = Math.min(sub.length, place.length);
      if (!place.slice(0, shared).every((key, i) => key === String(sub[i]))) continue;
      const at = pathKey(sub.slice(0, shared));
      marked.set(at, put(marked.get(at), place.slice(shared), stand));
    }
  }
  return marked;
}

/** The value with another one at the place in it. */
function put(value: Json | undefined, [key, ...rest]: readonly string[], stand: Json): Json {
  if (key === undefined) return stand;
  const object = value !== undefined && isJsonObject(value) ? value : {};
  return { ...object, [key]: put(object[key], rest, stand) };
}
