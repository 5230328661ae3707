import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import type { Lookup, PathSegment, Reference } from "../definition/expressions.ts";
import type { PlanStep } from "../definition/plan.ts";
import type { Sql } from "../sql.ts";

/** What the ledger must give so that a step's expressions can be read: nothing else is loaded (§8). */
export interface Needs {
  /** Paths below `trigger`. */
  readonly trigger: ReadonlyArray<readonly PathSegment[]>;
  /** Results of earlier steps, by ledger path. */
  readonly rows: ReadonlyArray<{
    readonly path: string;
    readonly subs: ReadonlyArray<readonly PathSegment[]>;
    readonly error: boolean;
  }>;
}

/** What is known of one earlier step: the parts of its output that were asked for. */
export interface KnownRow {
  readonly status: string;
  readonly error: Json;
  /** By sub-path (joined as `pathKey` does); the empty sub-path is the whole output. */
  readonly parts: ReadonlyMap<string, Json>;
}

/** Values that every expression may read, whatever step it stands in. */
export interface RunFacts {
  readonly settings: JsonObject;
  readonly run: JsonObject;
  readonly workspace: JsonObject;
}

/** The step whose `onError` steps a node lies in: what `error` reads there. */
export type Handlers = ReadonlyMap<number, string>;

/** What a plan's references mean, precomputed once a version. */
export interface PlanIndex {
  readonly byId: ReadonlyMap<string, PlanStep>;
  /** Node number → id of the step whose failure it handles. */
  readonly handlerOf: Handlers;
}

export function indexPlan(nodes: readonly PlanStep[]): PlanIndex {
  const byId = new Map<string, PlanStep>();
  const handlerOf = new Map<number, string>();
  const visit = (steps: readonly PlanStep[], failed: string | undefined): void => {
    for (const step of steps) {
      if (failed !== undefined) handlerOf.set(step.node, failed);
      if (step.control === "branch") for (const branch of step.branches) visit(branch.steps, failed);
      if (step.onError?.steps) visit(step.onError.steps, step.id);
    }
  };
  for (const step of nodes) if (!byId.has(step.id)) byId.set(step.id, step);
  visit(
    nodes.filter((step) => step.onError?.steps !== undefined),
    undefined,
  );
  return { byId, handlerOf };
}

/** What must be loaded for these references, seen from `node`. */
export function needsOf(references: readonly Reference[], index: PlanIndex, node: number): Needs {
  const trigger = new Map<string, readonly PathSegment[]>();
  const rows = new Map<string, { subs: Map<string, readonly PathSegment[]>; error: boolean }>();
  const need = (path: string, sub: readonly PathSegment[] | undefined, error = false): void => {
    const row = rows.get(path) ?? { subs: new Map(), error: false };
    if (sub !== undefined) row.subs.set(pathKey(sub), sub);
    row.error ||= error;
    rows.set(path, row);
  };
  for (const { path } of references) {
    const [root, ...rest] = path;
    if (root === "trigger") trigger.set(pathKey(rest), rest);
    else if (root === "error") need(index.handlerOf.get(node) ?? "", undefined, true);
    else if (typeof root === "string") needStep(root, rest, index, need);
  }
  return {
    trigger: [...trigger.values()],
    rows: [...rows].map(([path, row]) => ({ path, subs: [...row.subs.values()], error: row.error })),
  };
}

function needStep(
  id: string,
  rest: readonly PathSegment[],
  index: PlanIndex,
  need: (path: string, sub: readonly PathSegment[] | undefined, error?: boolean) => void,
): void {
  const step = index.byId.get(id);
  if (step === undefined) return;
  if (step.control === "branch") {
    if (rest[0] !== "output") need(id, []);
    if (rest[0] !== "branch") need(`${id}.output`, rest[0] === "output" ? rest.slice(1) : []);
    return;
  }
  const own = step.onError !== undefined && (rest[0] === "ok" || rest[0] === "error" || rest.length === 0);
  need(id, own && rest.length > 0 ? undefined : rest, own);
  if (step.onError?.steps !== undefined) need(`${id}.output`, rest);
}

/**
 * Reads paths out of what is known. A path through null or through something that is not an object or
 * a list is missing (undefined), never null.
 */
export function createLookup(
  known: { facts: RunFacts; trigger: ReadonlyMap<string, Json>; row(path: string): KnownRow | undefined },
  index: PlanIndex,
  node: number,
): Lookup {
  const { facts } = known;
  return (path) => {
    const [root, ...rest] = path;
    switch (root) {
      case "trigger":
        return fromParts(known.trigger, rest);
      case "settings":
        return walk(facts.settings, rest);
      case "run":
        return walk(facts.run, rest);
      case "workspace":
        return walk(facts.workspace, rest);
      case "error":
        return walk(known.row(index.handlerOf.get(node) ?? "")?.error, rest);
      case undefined:
        return undefined;
      default:
        return typeof root === "string" ? stepValue(root, rest, index, known.row) : undefined;
    }
  };
}

function stepValue(
  id: string,
  rest: readonly PathSegment[],
  index: PlanIndex,
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const step = index.byId.get(id);
  if (step?.control === "branch") return branchValue(id, rest, row);
  const own = row(id);
  if (step === undefined || own === undefined) return undefined;
  if (step.onError !== undefined) {
    if (rest[0] === "ok") return rest.length === 1 ? own.status !== "failed" : undefined;
    if (rest[0] === "error") return own.status === "failed" ? walk(own.error, rest.slice(1)) : undefined;
  }
  const source = (own.status === "failed" ? row(`${id}.output`) : undefined) ?? own;
  const value = fromParts(source.parts, rest);
  if (rest.length > 0 || step.onError === undefined) return value;
  return own.status === "failed"
    ? { ...asObject(value), ok: false, error: own.error }
    : { ...asObject(value), ok: true };
}

/** A branch gives which one was taken, and what it handed out. */
function branchValue(
  id: string,
  rest: readonly PathSegment[],
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const handedOut = row(`${id}.output`);
  if (rest[0] === "output") return handedOut && fromParts(handedOut.parts, rest.slice(1));
  const own = row(id);
  if (own === undefined || rest.length > 0) return own && fromParts(own.parts, rest);
  return { ...asObject(fromParts(own.parts, [])), output: (handedOut && fromParts(handedOut.parts, [])) ?? null };
}

/** What is known at a path of a step's output; undefined: nothing. */
export function readKnown({ parts }: KnownRow, path: readonly PathSegment[]): Json | undefined {
  return fromParts(parts, path);
}

/** The longest known prefix of the path, then own properties from there. */
function fromParts(parts: ReadonlyMap<string, Json>, path: readonly PathSegment[]): Json | undefined {
  for (let length = path.length; length >= 0; length--) {
    const value = parts.get(pathKey(path.slice(0, length)));
    if (value !== undefined) return walk(value, path.slice(length));
  }
  return undefined;
}

function walk(value: Json | undefined, path: readonly PathSegment[]): Json | undefined {
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

function asObject(value: Json | undefined): JsonObject {
  return value !== undefined && isJsonObject(value) ? value : {};
}

/** One text for a path, for maps. */
export function pathKey(path: readonly PathSegment[]): string {
  return path.join("\u0000");
}

/** Rows of earlier steps with just the parts that are needed, in one statement. */
export async function loadRows(sql: Sql, runId: string, rows: Needs["rows"]): Promise<Map<string, KnownRow>> {
  if (rows.length === 0) return new Map();
  const found = await sql.query<{ path: string; status: string; error: Json; parts: Json[][] }>({
    name: "load_rows",
    text: loadRowsText("$1::uuid", "$2::jsonb"),
    values: [runId, JSON.stringify(rows)],
  });
  return knownRows(rows, found.rows);
}

/** The select of `loadRows` over the placeholders of a run's id and of `Needs.rows`, for other statements. */
export function loadRowsText(runId: string, rows: string): string {
  return `select s.path, s.status, case when q.error then s.error end as error, ${partsOf("s.output", "q.subs")} as parts
    from jsonb_to_recordset(${rows}) as q(path text, subs jsonb, error boolean)
    join tandem.step_results s on s.run_id = ${runId} and s.path = q.path`;
}

/** SQL: the values at a list of sub-paths, each `[value]`, or `[]` where there is none. */
export function partsOf(document: string, subs: string): string {
  return `(select coalesce(jsonb_agg(case when v.value is null then '[]'::jsonb else jsonb_build_array(v.value) end order by v.position), '[]'::jsonb)
    from (select t.position, ${document} #> array(select jsonb_array_elements_text(t.sub)) as value
          from jsonb_array_elements(${subs}) with ordinality t(sub, position)) v)`;
}

export function knownRows(
  needs: Needs["rows"],
  found: ReadonlyArray<{ path: string; status: string; error: Json; parts: Json[][] }>,
): Map<string, KnownRow> {
  const byPath = new Map(needs.map((need) => [need.path, need]));
  return new Map(
    found.map((row) => [
      row.path,
      { status: row.status, error: row.error, parts: knownParts(byPath.get(row.path)?.subs ?? [], row.parts) },
    ]),
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
