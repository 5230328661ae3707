import { partsOf, type PlanStep } from "../definition/plan.ts";

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
      for (const block of partsOf(step)) {
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
