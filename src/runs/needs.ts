import type { PathSegment, Reference } from "../definition/expressions.ts";
import { pathKey } from "./path-key.ts";
import { addressOf, type PlanIndex } from "./plan-index.ts";

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

/** The needs with the ledger paths of their rows, seen from `path`. */
export function addressed(needs: Needs, path: string, index: PlanIndex): Needs {
  if (index.loopsOf.size === 0) return needs;
  return { ...needs, rows: needs.rows.map((row) => ({ ...row, path: addressOf(row.path, path, index) })) };
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
