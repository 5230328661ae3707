import type { CompiledNode } from "../definition/compile.ts";
import type { Evaluation, Reference } from "../definition/expressions.ts";
import type { EffectStep, PlanStep, Verdict } from "../definition/plan.ts";
import { StepError } from "../errors.ts";
import type { Json } from "../json.ts";
import type { StepFailure, StepRow } from "../runs/ledger.ts";
import type { Seal } from "../runs/seal.ts";
import type { OutsideKind, StepContext, StepKind, StepKinds, StepOutcome } from "./step-kind.ts";

/** A step's input as its expressions gave it, and as its kind read that. */
export interface ResolvedInput {
  readonly resolved: Json;
  readonly parsed: unknown;
}

/** What doing a node needs from its lane. */
export interface Performance {
  readonly context: StepContext;
  readonly kinds: StepKinds;
  readonly evaluation: Evaluation;
  /** The seal for a step that changes records, given its resolved input. */
  seal(input: Json): Seal;
  /** How a step that acts outside is done; the quick lane has none and is never asked. */
  outside?(kind: OutsideKind<unknown, Json>, input: ResolvedInput): Promise<StepOutcome>;
}

/** What a node came to: a row's middle part. `sealed`: it is committed already. */
export interface Performed {
  readonly sealed: boolean;
  readonly status: "done" | "skipped";
  readonly outcome: string | null;
  readonly verdict: Verdict;
  readonly input: Json | null;
  readonly output: Json | null;
}

const done: Verdict = { kind: "done" };

/** Does one node, in either lane: the same rows come of it. Throws what `meaningOf` understands. */
export async function performNode(node: CompiledNode, performance: Performance): Promise<Performed> {
  const { evaluation } = performance;
  switch (node.step.control) {
    case "values": {
      const output = node.input?.evaluate(evaluation) ?? {};
      return { sealed: false, status: "done", outcome: null, verdict: done, input: null, output };
    }
    case "filter": {
      const passed = node.when?.evaluate(evaluation) ?? true;
      const verdict: Verdict = passed ? done : { kind: "end" };
      return {
        sealed: false,
        status: "done",
        outcome: passed ? "passed" : "not passed",
        verdict,
        input: null,
        output: { passed },
      };
    }
    case "branch": {
      const branches = node.branches ?? [];
      const index = branches.findIndex((branch) => branch.when?.evaluate(evaluation) ?? true);
      const name = index < 0 ? null : (branches[index]?.name ?? index);
      return {
        sealed: false,
        status: "done",
        outcome: name === null ? null : String(name),
        verdict: { kind: "branch", index: index < 0 ? null : index },
        input: null,
        output: { branch: name },
      };
    }
    case "effect":
      return performEffect(node, node.step, performance);
  }
}

async function performEffect(node: CompiledNode, step: EffectStep, performance: Performance): Promise<Performed> {
  const kind = getKind(performance.kinds, step);
  const resolved = node.input?.evaluate(performance.evaluation) ?? {};
  const parsed = kind.input.safeParse(resolved);
  if (!parsed.success) {
    const faults = parsed.error.issues.map(
      (issue) => `${[node.at, "input", ...issue.path].join(".")}: ${issue.message}`,
    );
    throw new StepError(
      "invalid-input",
      `${faults.join("; ")}. The step's expressions gave values that it cannot take.`,
    );
  }
  if (kind.effect === "record") {
    const sealed = await kind.run(performance.context, parsed.data, performance.seal(resolved));
    return {
      sealed: true,
      status: "done",
      outcome: sealed.outcome,
      verdict: done,
      input: resolved,
      output: sealed.output,
    };
  }
  const outcome =
    kind.effect === "read"
      ? await kind.run(performance.context, parsed.data)
      : await performOutside(kind, { resolved, parsed: parsed.data }, performance);
  return {
    sealed: false,
    status: outcome.status ?? "done",
    outcome: outcome.outcome,
    verdict: done,
    input: resolved,
    output: outcome.output,
  };
}

function performOutside(
  kind: OutsideKind<unknown, Json>,
  input: ResolvedInput,
  performance: Performance,
): Promise<StepOutcome> {
  if (performance.outside === undefined) throw new Error(`The quick lane was given a step of kind ${kind.kind}.`);
  return performance.outside(kind, input);
}

function getKind(kinds: StepKinds, step: EffectStep): StepKind {
  const kind = kinds[step.kind];
  if (kind === undefined)
    throw new StepError("unknown-kind", `Step "${step.id}": this worker knows no step kind "${step.kind}".`);
  return kind;
}

/** Every reference that doing the node may read. */
export function referencesOf(node: CompiledNode): Reference[] {
  return [
    ...(node.input?.references ?? []),
    ...(node.when?.references ?? []),
    ...(node.branches ?? []).flatMap((branch) => branch.when?.references ?? []),
  ];
}

/** The row of a step that failed for good. */
export function failedRow(
  step: PlanStep,
  row: Pick<StepRow, "path" | "attempts" | "attempt" | "lane" | "startedAt" | "input">,
  failure: StepFailure,
): StepRow {
  return {
    ...row,
    kind: step.kind,
    status: "failed",
    outcome: failure.code,
    verdict: { kind: "failed", code: failure.code, attempts: row.attempts, handled: handling(step, failure.code) },
    output: null,
    error: { ...failure, attempts: row.attempts },
    endedAt: new Date(),
  };
}

function handling(step: PlanStep, code: string): "no" | "continue" | "steps" {
  const { onError } = step;
  if (onError === undefined || (onError.codes !== undefined && !onError.codes.includes(code))) return "no";
  return onError.steps === undefined ? "continue" : "steps";
}
