import type { CompiledNode } from "../definition/compile/node.ts";
import type { Evaluation } from "../definition/expressions.ts";
import { kindOf } from "../definition/expressions/values.ts";
import type { EffectStep, OpenStep, PlanStep, Verdict } from "../definition/plan.ts";
import { StepError } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { OwnRow, StepFailure, StepRow } from "../runs/ledger.ts";
import { itemAt, itemStatuses, mostItemBytes, mostItems, referTo } from "../runs/loops.ts";
import { longListOf } from "../runs/long-lists.ts";
import type { Seal } from "../runs/seal.ts";
import type { Closing } from "./loops.ts";
import { onceValueOf } from "./once.ts";
import type { ControlOutcome, OutsideKind, StepContext, StepKind, StepKinds, StepOutcome } from "./step-kind.ts";

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
  /** Asks for the value under which an effect is done once; the quick lane does no such step. */
  once?(value: string, kind: StepKind): Promise<Performed | Waiting | undefined>;
  /** The item that the node closes. */
  readonly closing?: Closing;
  /** How a step that acts outside is done; the quick lane has none and is never asked. */
  outside?(kind: OutsideKind<unknown, Json>, input: ResolvedInput): Promise<StepOutcome>;
}

/** What a node came to: a row's middle part. `sealed`: it is committed already. */
export interface Performed {
  readonly sealed: boolean;
  readonly status: "done" | "skipped" | "failed" | "already-done";
  readonly outcome: string | null;
  readonly verdict: Verdict;
  readonly input: Json | null;
  readonly output: Json | null;
  /** Of an item that failed: why. */
  readonly error?: StepFailure | null;
  readonly log?: string;
  readonly lists?: Readonly<Record<string, number>>;
}

/** The step waits: for this wait to be settled, then it is done again. */
export interface Waiting {
  readonly waitId: string;
}

const done: Verdict = { kind: "done" };

/** Does one node, in either lane: the same rows come of it. Throws what `meaningOf` understands. */
export async function performNode(node: CompiledNode, performance: Performance): Promise<Performed | Waiting> {
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
    case "open":
      return openLoop(node, node.step, evaluation);
    case "item":
      return closeItem(node, performance);
    case "effect":
      return performEffect(node, node.step, performance);
    case "iterator":
    case "parallel":
      throw new Error(`A block is walked, not done: ${node.step.id}.`);
  }
}

function openLoop({ input, at }: CompiledNode, { batch }: OpenStep, evaluation: Evaluation): Performed {
  const given = input?.evaluate(evaluation);
  const long = longListOf(given);
  if (long === undefined && !Array.isArray(given))
    throw new StepError("invalid-input", `${at}: an iterator goes through a list, but got ${kindOf(given)}.`);
  const count = long?.count ?? (Array.isArray(given) ? given.length : 0);
  if (count > mostItems)
    throw new StepError(
      "too-many-items",
      `${at}: ${count} items; ${mostItems} are allowed. Narrow what is searched, or go through it in several runs.`,
    );
  const verdict: Verdict = { kind: "items", count: Math.ceil(count / (batch ?? 1)) };
  const output = long === undefined ? { items: inBatches(given as Json[], batch) } : referTo(long, batch);
  return { sealed: false, status: "done", outcome: `${count} items`, verdict, input: null, output };
}

function inBatches(items: Json[], size: number | undefined): Json[] {
  if (size === undefined) return items;
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

function closeItem({ input, at }: CompiledNode, { evaluation, closing }: Performance): Performed {
  if (closing === undefined) throw new Error("An item is closed by how it ended.");
  const { ended, failure: error, item } = closing;
  const output = ended.kind === "succeeded" ? handedOut(input?.evaluate(evaluation) ?? null, at) : null;
  const verdict: Verdict = { kind: "item", ended: ended.kind };
  return { sealed: false, status: itemStatuses[ended.kind], outcome: ended.kind, verdict, input: item, output, error };
}

/** What an item hands out is one of many that lie together: it has no pages of its own. */
function handedOut(output: Json, at: string): Json {
  const bytes = Buffer.byteLength(JSON.stringify(output));
  if (bytes <= mostItemBytes) return output;
  throw new StepError(
    "invalid-input",
    `${at}: an item hands out ${bytes} bytes of JSON; ${mostItemBytes} are allowed. Hand out what is read after the loop only.`,
  );
}

async function performEffect(
  node: CompiledNode,
  step: EffectStep,
  performance: Performance,
): Promise<Performed | Waiting> {
  const kind = getKind(performance.kinds, step);
  const once = onceValueOf(node, performance.evaluation);
  const earlier = once === undefined ? undefined : await performance.once?.(once, kind);
  if (earlier !== undefined) return earlier;
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
  const outcome = await runKind(kind, { resolved, parsed: parsed.data }, { performance, step });
  if ("waitId" in outcome) return outcome;
  const { log, lists } = outcome;
  return {
    sealed: false,
    status: outcome.status ?? "done",
    outcome: outcome.outcome,
    verdict: ("verdict" in outcome ? outcome.verdict : undefined) ?? done,
    input: withoutVerbatim(kind, resolved),
    output: outcome.output,
    ...(log === undefined ? {} : { log }),
    ...(lists === undefined ? {} : { lists }),
  };
}

/** What is taken as it was written stands in the version: a run, or each item of a loop, need not keep it again. */
function withoutVerbatim({ places = {} }: StepKind, resolved: Json): Json {
  if (!isJsonObject(resolved)) return resolved;
  return Object.fromEntries(Object.entries(resolved).filter(([key]) => places[key] !== "verbatim"));
}

/** What does not seal itself. */
function runKind(
  kind: Exclude<StepKind, { effect: "record" }>,
  input: ResolvedInput,
  { performance, step }: { performance: Performance; step: EffectStep },
): Promise<ControlOutcome> {
  switch (kind.effect) {
    case "read":
      return kind.run(performance.context, input.parsed);
    case "control":
      return kind.run(performance.context, input.parsed, { beside: step.beside === true, kinds: performance.kinds });
    case "outside":
      return performOutside(kind, input, performance);
  }
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

/** The row of a node that was done and is not sealed yet. */
export function rowOf(step: PlanStep, own: OwnRow, performed: Performed): StepRow {
  const { status, outcome, verdict, input, output, error = null, log, lists } = performed;
  return {
    ...own,
    ...itemColumns(step, own.path),
    kind: step.kind,
    status,
    outcome,
    verdict,
    input,
    output,
    error,
    endedAt: new Date(),
    ...(log === undefined ? {} : { log }),
    ...(lists === undefined ? {} : { lists }),
  };
}

/** The row of a step that failed for good. */
export function failedRow(step: PlanStep, row: OwnRow & Pick<StepRow, "input">, failure: StepFailure): StepRow {
  return {
    ...row,
    ...itemColumns(step, row.path),
    kind: step.kind,
    status: "failed",
    outcome: failure.code,
    verdict: { kind: "failed", code: failure.code, attempts: row.attempts, handled: handling(step, failure.code) },
    output: null,
    error: { ...failure, attempts: row.attempts },
    ...(typeof failure["log"] === "string" ? { log: failure["log"] } : {}),
    endedAt: new Date(),
  };
}

/** By what the row of an item that is over is found among those of its loop. */
function itemColumns(step: PlanStep, path: string): Pick<StepRow, "itemOf" | "item"> {
  if (step.control !== "item") return {};
  const { loop, index } = itemAt(path);
  return { itemOf: loop, item: index };
}

function handling(step: PlanStep, code: string): "no" | "continue" | "steps" {
  const { onError } = step;
  if (onError === undefined || (onError.codes !== undefined && !onError.codes.includes(code))) return "no";
  return onError.steps === undefined ? "continue" : "steps";
}
