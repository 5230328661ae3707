/**
 * What the interpreter walks: a definition's bare structure, compiled at activation and frozen in the
 * version. It carries ids, kinds, policies and nesting, and no expressions, values or personal data,
 * since it travels to Temporal as the workflow's argument. Imports nothing: it runs in the sandbox.
 */
export interface Plan {
  /** Shape of this document; a new shape is a new workflow type (DURABILITY.md §9). */
  readonly format: 1;
  readonly steps: readonly PlanStep[];
  /** How long one block of quick steps may run before it hands back, in milliseconds. */
  readonly blockMs: number;
}

export type PlanStep =
  | EffectStep
  | BranchStep
  | FilterStep
  | ValuesStep
  | ParallelStep
  | IteratorStep
  | OpenStep
  | ItemStep;

/** The task queue, without the installation's prefix, that a step's activity goes to. */
export type QueueName = "runs" | "http" | "code" | "email";

interface StepBase {
  /** The step's id in the definition, or `<block id>.output` for what a block hands out. */
  readonly id: string;
  /** Index into the whole plan, depth first: how an activity finds this very node again. */
  readonly node: number;
  /** What people call the step: its name, else its id. */
  readonly name: string;
  /** Whether the quick lane may do it; a loop or a parallel: with all that lies in it. */
  readonly quick: boolean;
  /** Other steps of the run may be at work meanwhile: it lies in a parallel, or in a loop that does several items at once. */
  readonly beside?: true;
  readonly queue: QueueName;
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  /** What follows a final failure: absent fails the run. */
  readonly onError?: OnError;
}

/** The user's retries of a step's target. Times in milliseconds. */
export interface RetryPolicy {
  readonly maximumAttempts: number;
  readonly initialIntervalMs: number;
  readonly backoffCoefficient: number;
  readonly maximumIntervalMs: number;
}

export interface OnError {
  /** Only these codes are handled; absent handles every failure. */
  readonly codes?: readonly string[];
  /** Absent: go on as if the step had succeeded (`continue`). */
  readonly steps?: readonly PlanStep[];
}

/** A step that asks or changes the world, by the registry of step kinds. */
export interface EffectStep extends StepBase {
  readonly control: "effect";
  readonly kind: string;
  /** Version of the step kind at activation. */
  readonly version: number;
}

export interface BranchStep extends StepBase {
  readonly control: "branch";
  readonly kind: "branch";
  readonly branches: ReadonlyArray<{ readonly name?: string; readonly steps: readonly PlanStep[] }>;
}

export interface FilterStep extends StepBase {
  readonly control: "filter";
  readonly kind: "filter";
}

/** Evaluates values: the step kind `set`, or `output`, what a block hands out under its own path. */
export interface ValuesStep extends StepBase {
  readonly control: "values";
  readonly kind: "set" | "output";
}

/** Named branches that are walked beside one another, and join. */
export interface ParallelStep extends StepBase {
  readonly control: "parallel";
  readonly kind: "parallel";
  readonly branches: ReadonlyArray<{ readonly name: string; readonly steps: readonly PlanStep[] }>;
}

/** A loop. Doing the step itself closes the loop: that is when its items are over. */
export interface IteratorStep extends StepBase {
  readonly control: "iterator";
  readonly kind: "iterator";
  /** How many items are walked at once. */
  readonly concurrency: number;
  /** An item that fails ends the loop, unless it says `continue`. */
  readonly onItemError: "fail" | "continue";
  readonly open: OpenStep;
  readonly steps: readonly PlanStep[];
  readonly item: ItemStep;
}

/** Evaluates a loop's items and keeps them. Its path is the loop's with `.open`. */
export interface OpenStep extends StepBase {
  readonly control: "open";
  readonly kind: "open";
  /** How many items the body is given at a time; absent: one, by itself. */
  readonly batch?: number;
}

/** Closes an item of a loop with what it gives. Its path is the loop's with the item's number: `each[42]`. */
export interface ItemStep extends StepBase {
  readonly control: "item";
  readonly kind: "item";
}

/** How the walk of an item came out. */
export type ItemEnd =
  | { readonly kind: "succeeded" | "filtered" }
  | { readonly kind: "failed"; readonly path: string; readonly code: string };

/** What doing a step decided. Sealed in the ledger; the interpreter acts on nothing else. */
export type Verdict =
  | { readonly kind: "done" }
  /** `index` of the branch taken; null when none holds. */
  | { readonly kind: "branch"; readonly index: number | null }
  /** A filter that did not pass: the item ends here, or the run, as completed. */
  | { readonly kind: "end" }
  /** The run ends here, wherever the step lies. `path`: of the step that said so, where it lies in a loop. */
  | { readonly kind: "stop"; readonly as: "completed" | "failed"; readonly path?: string }
  /** How many items a loop has. What is done of them is never sealed: `from` is the first that is not. */
  | {
      readonly kind: "items";
      readonly count: number;
      readonly from?: number;
      readonly done?: readonly number[];
      /** Some of those that are over failed. */
      readonly failed?: true;
    }
  | { readonly kind: "item"; readonly ended: ItemEnd["kind"] }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly attempts: number;
      readonly handled: "no" | "continue" | "steps";
    };

/** Each node of a plan by its number. */
export function planNodes(plan: Pick<Plan, "steps">): PlanStep[] {
  const nodes: PlanStep[] = [];
  const visit = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      nodes[step.node] = step;
      for (const part of partsOf(step)) visit(part);
    }
  };
  visit(plan.steps);
  return nodes;
}

/** The lists of steps that lie in a step. */
export function partsOf(step: PlanStep): ReadonlyArray<readonly PlanStep[]> {
  const handler = step.onError?.steps === undefined ? [] : [step.onError.steps];
  switch (step.control) {
    case "branch":
    case "parallel":
      return [...step.branches.map((branch) => branch.steps), ...handler];
    case "iterator":
      return [[step.open], step.steps, [step.item], ...handler];
    case "effect":
    case "filter":
    case "values":
    case "open":
    case "item":
      return handler;
  }
}

/** The path of a loop's opening, by the loop's. */
export function openingOf(loop: string): string {
  return `${loop}.open`;
}

/** The path of a loop, by its opening's. */
export function loopOf(opening: string): string {
  return opening.slice(0, -".open".length);
}

/** Paths of the rows that steps may have, without those within items of loops. */
export function pathsOf(steps: readonly PlanStep[], prefix: string): string[] {
  return steps.flatMap((step) => {
    const own = prefix + step.id;
    const inside = partsOf(step).filter((part) => step.control !== "iterator" || part === step.onError?.steps);
    const open = step.control === "iterator" ? [openingOf(own)] : [];
    return [own, ...open, ...inside.flatMap((part) => pathsOf(part, prefix))];
  });
}
