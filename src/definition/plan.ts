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

export type PlanStep = EffectStep | BranchStep | FilterStep | ValuesStep;

/** The task queue, without the installation's prefix, that a step's activity goes to. */
export type QueueName = "runs" | "email";

interface StepBase {
  /** The step's id in the definition, or `<block id>.output` for what a block hands out. */
  readonly id: string;
  /** Index into the whole plan, depth first: how an activity finds this very node again. */
  readonly node: number;
  /** What people call the step: its name, else its id. */
  readonly name: string;
  /** Whether the quick lane may do it. */
  readonly quick: boolean;
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

/** What doing a step decided. Sealed in the ledger; the interpreter acts on nothing else. */
export type Verdict =
  | { readonly kind: "done" }
  /** `index` of the branch taken; null when none holds. */
  | { readonly kind: "branch"; readonly index: number | null }
  /** A filter that did not pass: the run ends here, as completed. */
  | { readonly kind: "end" }
  | {
      readonly kind: "failed";
      readonly code: string;
      readonly attempts: number;
      readonly handled: "no" | "continue" | "steps";
    };

/** Each node of a plan by its number. */
export function planNodes(plan: Plan): PlanStep[] {
  const nodes: PlanStep[] = [];
  const visit = (steps: readonly PlanStep[]): void => {
    for (const step of steps) {
      nodes[step.node] = step;
      if (step.control === "branch") for (const branch of step.branches) visit(branch.steps);
      if (step.onError?.steps) visit(step.onError.steps);
    }
  };
  visit(plan.steps);
  return nodes;
}
