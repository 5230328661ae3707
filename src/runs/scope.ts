import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import type { Lookup, PathSegment, Reference } from "../definition/expressions.ts";
import { partsOf as blocksOf, type ParallelStep, type PlanStep } from "../definition/plan.ts";
import type { Sql } from "../sql.ts";
import { withStands } from "./long-lists.ts";
import { pathKey } from "./path-key.ts";
import type { ListCounts } from "./step-lists.ts";

export { pathKey } from "./path-key.ts";

/** What the ledger must give so that a step's expressions can be read: nothing else is loaded (§8). */
export interface Needs {
  /** Paths below `trigger`. */
  readonly trigger: ReadonlyArray<readonly PathSegment[]>;
  /** Results of earlier steps, by the names of their rows; `addressed` makes ledger paths of these. */
  readonly rows: ReadonlyArray<{
    readonly path: string;
    readonly subs: ReadonlyArray<readonly PathSegment[]>;
    readonly error: boolean;
  }>;
  /** Ids of the loops whose item is read. */
  readonly loops: readonly string[];
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

/** What a plan's references mean, precomputed once a version. */
export interface PlanIndex {
  readonly byId: ReadonlyMap<string, PlanStep>;
  /** Node number → id of the step whose failure it handles: what `error` reads there. */
  readonly handlerOf: ReadonlyMap<number, string>;
  /** Node number → ids of the loops in whose items it lies, the outermost first. */
  readonly loopsOf: ReadonlyMap<number, readonly string[]>;
}

/** Indexes a plan's steps. */
export function indexPlan(plan: readonly PlanStep[]): PlanIndex {
  const byId = new Map<string, PlanStep>();
  const handlerOf = new Map<number, string>();
  const loopsOf = new Map<number, readonly string[]>();
  const visit = (steps: readonly PlanStep[], failed: string | undefined, loops: readonly string[]): void => {
    for (const step of steps) {
      if (!byId.has(step.id)) byId.set(step.id, step);
      if (failed !== undefined) handlerOf.set(step.node, failed);
      if (loops.length > 0) loopsOf.set(step.node, loops);
      for (const block of blocksOf(step)) {
        const isHandler = block === step.onError?.steps;
        const isOutside = isHandler || step.control !== "iterator" || block[0] === step.open;
        visit(block, isHandler ? step.id : failed, isOutside ? loops : [...loops, step.id]);
      }
    }
  };
  visit(plan, undefined, []);
  return { byId, handlerOf, loopsOf };
}

/** The ledger path of a row that is read at `path`: a row in a loop is that of the same item. */
export function addressOf(row: string, path: string, { byId, loopsOf }: PlanIndex): string {
  const [id = row] = row.split(".", 1);
  const step = byId.get(id);
  const depth = step === undefined ? 0 : (loopsOf.get(step.node)?.length ?? 0);
  return prefixOf(path, depth) + row;
}

/** The needs with the ledger paths of their rows, seen from `path`. */
export function addressed(needs: Needs, path: string, index: PlanIndex): Needs {
  if (index.loopsOf.size === 0) return needs;
  return { ...needs, rows: needs.rows.map((row) => ({ ...row, path: addressOf(row.path, path, index) })) };
}

/** `each[42].inner[3].` of `each[42].inner[3].update` at depth 2. */
export function prefixOf(path: string, depth: number): string {
  let end = 0;
  for (let loop = 0; loop < depth; loop++) end = path.indexOf("]", end) + 1;
  return depth === 0 ? "" : `${path.slice(0, end)}.`;
}

/** The number of the item at `path`, in the loop at this depth: 42 of `each[42].update` at depth 0. */
export function itemIndex(path: string, depth: number): number {
  const prefix = prefixOf(path, depth + 1);
  return Number(prefix.slice(prefix.lastIndexOf("[") + 1, -2));
}

/** What must be loaded for these references, seen from `node`. */
export function needsOf(references: readonly Reference[], index: PlanIndex, node: number): Needs {
  const trigger = new Map<string, readonly PathSegment[]>();
  const rows = new Map<string, { subs: Map<string, readonly PathSegment[]>; error: boolean }>();
  const loops = new Set<string>();
  const around = index.loopsOf.get(node) ?? [];
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
    else if (typeof root === "string" && around.includes(root)) {
      if (rest[0] !== "index") loops.add(root);
    } else if (typeof root === "string") needStep(root, rest, index, need);
  }
  return {
    trigger: [...trigger.values()],
    rows: [...rows].map(([path, row]) => ({ path, subs: [...row.subs.values()], error: row.error })),
    loops: [...loops],
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
  if (step.control === "parallel") {
    for (const { name } of step.branches)
      if (rest.length === 0 || rest[0] === name) need(`${id}.${name}.output`, rest.slice(1));
    return;
  }
  const own = step.onError !== undefined && (rest[0] === "ok" || rest[0] === "error" || rest.length === 0);
  need(id, own && rest.length > 0 ? undefined : rest, own);
  if (step.onError?.steps !== undefined) need(`${id}.output`, rest);
}

/** What a lookup reads: rows by their names, items by their loops' ids. */
export interface Readable {
  readonly facts: RunFacts;
  readonly trigger: ReadonlyMap<string, Json>;
  row(name: string): KnownRow | undefined;
  /** An item's value, and its number. */
  item?(loop: string): { readonly value: Json; readonly index: number };
}

/**
 * Reads paths out of what is known. A path through null or through something that is not an object or
 * a list is missing (undefined), never null.
 */
export function createLookup(known: Readable, index: PlanIndex, node: number): Lookup {
  const around = index.loopsOf.get(node) ?? [];
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
        if (typeof root !== "string") return undefined;
        if (!around.includes(root)) return stepValue(root, rest, index, known.row);
        return itemValue(index.byId.get(root), known.item?.(root) ?? { value: null, index: 0 }, rest);
    }
  };
}

/** In a loop: the item, or the batch of items, and its number. */
function itemValue(
  step: PlanStep | undefined,
  { value, index }: { value: Json; index: number },
  rest: readonly PathSegment[],
): Json | undefined {
  const name = step?.control === "iterator" && step.open.batch !== undefined ? "items" : "item";
  return walk({ [name]: value, index }, rest);
}

function stepValue(
  id: string,
  rest: readonly PathSegment[],
  index: PlanIndex,
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const step = index.byId.get(id);
  if (step?.control === "branch") return branchValue(id, rest, row);
  if (step?.control === "parallel") return parallelValue(step, rest, row);
  const own = row(id);
  if (step === undefined || own === undefined) return undefined;
  if (step.onError !== undefined) {
    if (rest[0] === "ok") return rest.length === 1 ? !hasFailed(own) : undefined;
    if (rest[0] === "error") return hasFailed(own) ? walk(own.error, rest.slice(1)) : undefined;
  }
  const source = (hasFailed(own) ? row(`${id}.output`) : undefined) ?? own;
  const value = fromParts(source.parts, rest);
  if (rest.length > 0 || step.onError === undefined) return value;
  return hasFailed(own) ? { ...asObject(value), ok: false, error: own.error } : { ...asObject(value), ok: true };
}

/** A step failed also where it is not known whether its target acted. */
function hasFailed({ status }: KnownRow): boolean {
  return status === "failed" || status === "outcome-unknown";
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

/** A parallel gives what its branches handed out, by their names. */
function parallelValue(
  { id, branches }: ParallelStep,
  [name, ...rest]: readonly PathSegment[],
  row: (path: string) => KnownRow | undefined,
): Json | undefined {
  const given = (branch: string, path: readonly PathSegment[]): Json | undefined => {
    const known = row(`${id}.${branch}.output`);
    return known && fromParts(known.parts, path);
  };
  if (name !== undefined) return given(String(name), rest);
  return Object.fromEntries(branches.map((branch) => [branch.name, given(branch.name, []) ?? null]));
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
