import { interpret, walk, walkItem, type At, type Ending, type Executor } from "../../definition/interpret.ts";
import { pathsOf, type Plan, type PlanStep } from "../../definition/plan.ts";
import { itemAt } from "../../runs/loops.ts";
import type { BlockScope } from "../contract.ts";

/** What a block walks: the whole plan, an item of a loop or a branch of a parallel. */
export interface WalkedScope {
  /** Stands before the ids of steps in it. */
  readonly prefix: string;
  /** Every row that steps in it may have, without those within items of loops in it. */
  readonly paths: readonly string[];
  /** Undefined: it came to its end, and what it lies in goes on. */
  walk(executor: Executor): Promise<Ending | undefined>;
}

/** The part of the plan that a block is to walk. */
export function findScope(plan: Plan, scope: BlockScope | undefined, nodes: (node: number) => PlanStep): WalkedScope {
  if (scope === undefined)
    return { prefix: "", paths: pathsOf(plan.steps, ""), walk: (executor) => interpret(plan, executor) };
  const { prefix, node, branch = 0 } = scope;
  const step = nodes(node);
  const at: At = { prefix, lane: "", scope: { node, branch }, stopped: () => false };
  if (step.control === "parallel") {
    const steps = step.branches[branch]?.steps ?? [];
    return { prefix, paths: pathsOf(steps, prefix), walk: (executor) => walk(steps, at, executor) };
  }
  if (step.control !== "iterator") throw new Error(`Step ${step.id} is no block that is walked by itself.`);
  const own = prefix.slice(0, -1);
  const { loop, index } = itemAt(own);
  return {
    prefix,
    paths: [own, ...pathsOf(step.steps, prefix)],
    async walk(executor) {
      const ending = await walkItem(step, { path: loop, index, at }, executor);
      return ending === "over" || ending === "failed" ? undefined : ending;
    },
  };
}
