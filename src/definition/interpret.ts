import type { Plan, PlanStep, Verdict } from "./plan.ts";

/** How a walk ended. `halted`: `execute` asked to stop here; a later walk goes on from the ledger. */
export type Ending =
  | { readonly kind: "completed" }
  | { readonly kind: "failed"; readonly path: string; readonly code: string; readonly attempts: number }
  | { readonly kind: "halted"; readonly path: string };

/** Does one step, or answers from what is sealed. `halt` ends the walk before the step. */
export type Execute = (step: PlanStep, path: string) => Promise<Verdict | "halt">;

/**
 * Walks a plan. The one interpreter of both lanes: in the workflow `execute` schedules activities, in
 * the quick lane it does the steps in process. It reads no clock, no chance and no data; every
 * decision comes from `execute` as a verdict.
 */
export async function interpret(plan: Plan, execute: Execute): Promise<Ending> {
  return (await walk(plan.steps, execute)) ?? { kind: "completed" };
}

/** Undefined: every step is done and the walk goes on after them. */
async function walk(steps: readonly PlanStep[], execute: Execute): Promise<Ending | undefined> {
  for (const step of steps) {
    const path = step.id;
    const verdict = await execute(step, path);
    if (verdict === "halt") return { kind: "halted", path };
    const ending = await follow(step, path, verdict, execute);
    if (ending !== undefined) return ending;
  }
  return undefined;
}

async function follow(step: PlanStep, path: string, verdict: Verdict, execute: Execute): Promise<Ending | undefined> {
  switch (verdict.kind) {
    case "done":
      return undefined;
    case "end":
      return { kind: "completed" };
    case "branch": {
      const branch = step.control === "branch" && verdict.index !== null ? step.branches[verdict.index] : undefined;
      return branch === undefined ? undefined : walk(branch.steps, execute);
    }
    case "failed":
      if (verdict.handled === "continue") return undefined;
      if (verdict.handled === "steps" && step.onError?.steps) return walk(step.onError.steps, execute);
      return { kind: "failed", path, code: verdict.code, attempts: verdict.attempts };
  }
}
