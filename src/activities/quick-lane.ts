import { interpret, type Ending } from "../definition/interpret.ts";
import type { PlanStep, Verdict } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import { failAttempt, loadRun, pauseAfter, type LoadedRun } from "../runs/attempts.ts";
import { createSeal, sealRows, type RunKey, type StepFailure, type StepRow } from "../runs/ledger.ts";
import { loadRows, pathKey, type KnownRow } from "../runs/scope.ts";
import { releaseKey } from "../runs/close.ts";
import type { BlockInput, BlockResult, Halt } from "./contract.ts";
import { createContext, type Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { failedRow, performNode, type Performed } from "./perform.ts";
import { createEvaluation, prepareVersion, type PreparedVersion } from "./prepared.ts";
import { describeEnd } from "./ending.ts";

/** The result stays below 4 KB; a verdict takes at most some 100 bytes. */
const mostSteps = 35;

/**
 * Does quick steps in process, one after the other, each sealed by its own commit, until it comes to
 * the end of the run, to a step that is not quick, or to the end of its time. Never throws: what goes
 * wrong is a returned halt, and the step goes on as an ordinary activity.
 */
export async function runBlock(environment: Environment, input: BlockInput, signal: AbortSignal): Promise<BlockResult> {
  const block = createBlock(environment, input, signal);
  for (;;) {
    try {
      return await block.walk();
    } catch (error) {
      const meaning = meaningOf(error);
      // Another attempt sealed a step first: what this one has not sealed is thrown away, and the walk
      // begins again from the ledger.
      if (meaning.kind === "conflict") continue;
      if (meaning.kind === "fenced") return { steps: {}, halt: { why: "fenced" } };
      environment.log.warn(
        { err: error, runId: input.runId },
        "a block of quick steps could not go on; its next step is done as an activity",
      );
      return { steps: block.sealed(), halt: { why: "ordinary" } };
    }
  }
}

function createBlock(environment: Environment, input: BlockInput, signal: AbortSignal) {
  const { pool, kinds } = environment;
  const key: RunKey = { runId: input.runId, fence: input.fence };
  /** Verdicts of steps that are committed, by this walk or before. */
  let sealed = new Map<string, Verdict>();
  /** Paths walked from where the workflow stands. */
  let walked = new Set<string>();
  /** Whole results of steps this walk did. */
  let memory = new Map<string, KnownRow>();
  /** Results that changed nothing and ride with the next write. */
  let pending: StepRow[] = [];
  let halt: Halt = { why: "ordinary" };

  async function walk(): Promise<BlockResult> {
    const version = prepareVersion(await environment.loadVersion(input.versionId));
    const loaded = await loadRun(pool, key, version.quickTrigger);
    if (loaded === undefined) return { steps: {}, halt: { why: "fenced" } };
    sealed = loaded.verdicts;
    walked = new Set();
    memory = new Map();
    pending = [];
    const deadline = Date.now() + version.version.plan.blockMs;
    const ending = await interpret(version.version.plan, (step, path) => {
      if (path === input.from || walked.size > 0) walked.add(path);
      const known = sealed.get(path) ?? pending.find((row) => row.path === path)?.verdict;
      if (known !== undefined) return Promise.resolve(known);
      const full = walked.size > mostSteps || Date.now() > deadline || signal.aborted;
      if (!step.quick || full) {
        halt = { why: step.quick ? "time" : "ordinary" };
        return Promise.resolve("halt" as const);
      }
      return doStep(version, loaded.run, step, path);
    });
    return finish(version, loaded.run, ending);
  }

  async function doStep(
    version: PreparedVersion,
    run: LoadedRun,
    step: PlanStep,
    path: string,
  ): Promise<Verdict | "halt"> {
    const startedAt = new Date();
    let resolved: Json | null = null;
    try {
      const row = await knownRows(version, step);
      const performed = await performNode(version.node(step), {
        context: await createContext(environment, { run, key, path, signal }),
        kinds,
        evaluation: await createEvaluation(environment, { version, node: step.node }, { run, row }),
        seal(sealedInput) {
          resolved = sealedInput;
          const own = {
            path,
            kind: step.kind,
            input: sealedInput,
            error: null,
            attempts: 1,
            attempt: null,
            lane: "quick",
            startedAt,
          } as const;
          return createSeal(key, own, pending);
        },
      });
      return accept(step, path, startedAt, performed);
    } catch (error) {
      const meaning = meaningOf(error);
      if (meaning.kind !== "answer") throw error;
      return fail(step, { path, startedAt, input: resolved }, meaning);
    }
  }

  function accept(step: PlanStep, path: string, startedAt: Date, performed: Performed): Verdict {
    if (performed.sealed) {
      environment.recordsChanged();
      for (const row of pending) sealed.set(row.path, row.verdict);
      pending = [];
      sealed.set(path, performed.verdict);
    } else {
      const { status, outcome, verdict, input: resolved, output } = performed;
      const row = { path, kind: step.kind, status, outcome, verdict, input: resolved, output, error: null } as const;
      pending.push({ ...row, attempts: 1, attempt: null, lane: "quick", startedAt, endedAt: new Date() });
    }
    remember(path, { status: performed.status, error: null, output: performed.output });
    return performed.verdict;
  }

  async function fail(
    step: PlanStep,
    failed: { path: string; startedAt: Date; input: Json | null },
    { failure, retryable }: { failure: StepFailure; retryable: boolean },
  ): Promise<Verdict | "halt"> {
    const { path, startedAt } = failed;
    if (retryable && step.retry.maximumAttempts > 1) {
      await flush();
      const pauseMs = pauseAfter(step.retry, 1);
      const next = await failAttempt(pool, key, { path, attempt: 1, error: failure, startedAt, pauseMs });
      if (next.kind === "wait") environment.slotFreed();
      halt = next.kind === "soon" ? { why: "retry", inMs: next.inMs } : { why: "wait", waitId: next.waitId };
      return "halt";
    }
    const row = failedRow(step, { ...failed, attempts: 1, attempt: null, lane: "quick" }, failure);
    pending.push(row);
    remember(path, row);
    return row.verdict;
  }

  function remember(path: string, row: { status: string; error: Json; output: Json | null }): void {
    memory.set(path, { status: row.status, error: row.error, parts: new Map([[pathKey([]), row.output]]) });
  }

  /** Results a node may read: from memory, or, of steps done before this block, from the ledger. */
  async function knownRows(
    version: PreparedVersion,
    node: PlanStep | "output",
  ): Promise<(path: string) => KnownRow | undefined> {
    const needs = node === "output" ? version.outputNeeds : version.needs(node.node);
    const missing = needs.rows.filter((need) => !memory.has(need.path) && sealed.has(need.path));
    const loaded = await loadRows(pool, key.runId, missing);
    return (path) => memory.get(path) ?? loaded.get(path);
  }

  async function flush(): Promise<void> {
    await sealRows(pool, key, pending);
    for (const row of pending) sealed.set(row.path, row.verdict);
    pending = [];
  }

  async function finish(version: PreparedVersion, run: LoadedRun, ending: Ending): Promise<BlockResult> {
    if (ending.kind === "halted") {
      if (pending.length > 0) await flush();
      return { steps: sealedSteps(), halt };
    }
    const row = await knownRows(version, "output");
    const failed = ending.kind === "failed" ? pending.find(({ path }) => path === ending.path) : undefined;
    const end = await describeEnd(environment, { version, run, key, ending, row, failed });
    await sealRows(pool, key, pending, end.end);
    for (const done of pending) sealed.set(done.path, done.verdict);
    pending = [];
    environment.slotFreed();
    if (run.keyed) await releaseKey(pool, key.runId).catch(() => {});
    return { steps: sealedSteps(), ending: end.ending };
  }

  function sealedSteps(): { [path: string]: Verdict } {
    return Object.fromEntries([...sealed].filter(([path]) => walked.has(path)));
  }

  return { walk, sealed: sealedSteps };
}
