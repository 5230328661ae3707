import type { PathSegment } from "../definition/expressions.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { Sql } from "../sql.ts";
import { withStands } from "./long-lists.ts";
import type { Needs } from "./needs.ts";
import { pathKey } from "./path-key.ts";
import type { ListCounts } from "./step-lists.ts";

/** What is known of one earlier step: the parts of its output that were asked for. */
export interface KnownRow {
  readonly status: string;
  readonly error: Json;
  /** By sub-path (joined as `pathKey` does); the empty sub-path is the whole output. */
  readonly parts: ReadonlyMap<string, Json>;
}

/** Rows of earlier steps with just the parts that are needed, in one statement. */
export async function loadRows(sql: Sql, runId: string, rows: Needs["rows"]): Promise<Map<string, KnownRow>> {
  if (rows.length === 0) return new Map();
  const found = await sql.query<LoadedRow>({
    name: "load_rows",
    text: loadRowsText("$1::uuid", "$2::jsonb"),
    values: [runId, JSON.stringify(rows)],
  });
  return knownRows(rows, found.rows);
}

/** The select of `loadRows` over the placeholders of a run's id and of `Needs.rows`, for other statements. */
export function loadRowsText(runId: string, rows: string): string {
  return `select s.path, s.status, s.lists, case when q.error then s.error end as error, ${partsOf("s.output", "q.subs")} as parts
    from jsonb_to_recordset(${rows}) as q(path text, subs jsonb, error boolean)
    join tandem.step_results s on s.run_id = ${runId} and s.path = q.path`;
}

/** SQL: the values at a list of sub-paths, each `[value]`, or `[]` where there is none. */
export function partsOf(document: string, subs: string): string {
  return `(select coalesce(jsonb_agg(case when v.value is null then '[]'::jsonb else jsonb_build_array(v.value) end order by v.position), '[]'::jsonb)
    from (select t.position, ${document} #> array(select jsonb_array_elements_text(t.sub)) as value
          from jsonb_array_elements(${subs}) with ordinality t(sub, position)) v)`;
}

/** A row as `loadRowsText` gives it. */
export interface LoadedRow {
  readonly path: string;
  readonly status: string;
  readonly lists: ListCounts | null;
  readonly error: Json;
  readonly parts: Json[][];
}

export function knownRows(needs: Needs["rows"], found: readonly LoadedRow[]): Map<string, KnownRow> {
  const byPath = new Map(needs.map((need) => [need.path, need]));
  return new Map(
    found.map(({ path, status, lists, error, parts }) => {
      const subs = byPath.get(path)?.subs ?? [];
      return [path, { status, error, parts: withStands(knownParts(subs, parts), { path, subs, lists }) }];
    }),
  );
}

/** Pairs sub-paths with what `partsOf` gave for them. */
export function knownParts(subs: ReadonlyArray<readonly PathSegment[]>, values: readonly Json[][]): Map<string, Json> {
  const parts = new Map<string, Json>();
  subs.forEach((sub, position) => {
    const value = values[position];
    if (value !== undefined && value.length > 0) parts.set(pathKey(sub), value[0] as Json);
  });
  return parts;
}

/** What is known at a path of a step's output; undefined: nothing. */
export function readKnown({ parts }: KnownRow, path: readonly PathSegment[]): Json | undefined {
  return fromParts(parts, path);
}

/** The longest known prefix of the path, then own properties from there. */
export function fromParts(parts: ReadonlyMap<string, Json>, path: readonly PathSegment[]): Json | undefined {
  for (let length = path.length; length >= 0; length--) {
    const value = parts.get(pathKey(path.slice(0, length)));
    if (value !== undefined) return readPath(value, path.slice(length));
  }
  return undefined;
}

/** Own properties and items only; undefined where there is none. */
export function readPath(value: Json | undefined, path: readonly PathSegment[]): Json | undefined {
  let current = value;
  for (const segment of path) {
    if (Array.isArray(current)) {
      const position = typeof segment === "number" ? segment : /^\d+$/.test(segment) ? Number(segment) : -1;
      current = current[position];
    } else if (isJsonObject(current) && Object.hasOwn(current, segment)) {
      current = current[segment];
    } else {
      return undefined;
    }
  }
  return current;
}
