import type { At, Ending, Executor } from "../definition/interpret.ts";
import { loopOf, pathsOf, type ItemEnd, type IteratorStep, type PlanStep, type Verdict } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import { failAttempt, loadRun, loadVerdicts, pauseAfter, type LoadedRun } from "../runs/attempts.ts";
import { releaseKey } from "../runs/close.ts";
import { createSeal, sealRows, type RunKey, type StepFailure } from "../runs/ledger.ts";
import { waitForSlot } from "../runs/waits/park.ts";
import { pathKey } from "../runs/path-key.ts";
import { giveUpAfter } from "./block/give-up.ts";
import { createMemory } from "./block/memory.ts";
import { findScope } from "./block/scope.ts";
import { createUnsealed } from "./block/unsealed.ts";
import type { BlockInput, BlockResult, Halt, HaltedAt } from "./contract.ts";
import { describeEnd } from "./ending.ts";
import { createContext, type Environment } from "./environment.ts";
import { meaningOf } from "./failures.ts";
import { closeLoop, describeClosing, withProgress } from "./loops.ts";
import { failedRow, performNode, rowOf, type Performed } from "./perform.ts";
import { createEvaluation, prepareVersion, type PreparedVersion } from "./prepared.ts";
import { TooManyPages } from "./read-lists.ts";

/** The result stays below 4 KB; a verdict takes at most some 100 bytes. */
const mostSteps = 35;
/** Pages of long lists that one of its steps reads at most: it must not take seconds. */
const mostPages = 20;
/**
 * A step that takes so much longer than its block may is not waited for: while a block is at work, its workflow
 * hears of no cancel. What became of the step the ledger says to the activity that does it again.
 */
const graceMs = 300;

/**
 * Does quick steps in process, one after the other, each sealed by its own commit, until it comes to
 * the end of what it walks, to a step that is not quick, or to the end of its time. Never throws: what
 * goes wrong is a returned halt, and the step goes on as an ordinary activity.
 */
export async function runBlock(environment: Environment, input: BlockInput, signal: AbortSignal): Promise<BlockResult> {
  const fenced: BlockResult = { steps: {}, halt: { why: "fenced" } };
  for (;;) {
    let sealed = (): BlockResult["steps"] => ({});
    try {
      const version = prepareVersion(await environment.loadVersion(input.versionId));
      const scope = findScope(version.version.plan, input.scope, (node) => version.node(node).step);
      const loaded = await loadRun(environment.pool, input, { trigger: version.quickTrigger, paths: scope.paths });
      if (loaded === undefined) return fenced;
      if (loaded.run.waiting) {
        const waitId = await waitForSlot(environment.pool, input, input.from);
        return { steps: {}, halt: { why: "slot", waitId } };
      }
      const block = createBlock(environment, { input, version, scope, ...loaded, signal });
      sealed = block.sealed;
      const { blockMs } = version.version.plan;
      return await giveUpAfter(blockMs + graceMs, block.walk(), block.giveUp);
    } catch (error) {
      const meaning = meaningOf(error);
      // Another attempt sealed a step first: what this one has not sealed is thrown away, and the walk
      // begins again from the ledger.
      if (meaning.kind === "conflict") continue;
      if (meaning.kind === "fenced") return fenced;
      environment.log.warn(
        { err: error, runId: input.runId },
        "a block of quick steps could not go on; its next step is done as an activity",
      );
      return { steps: sealed(), halt: { why: "ordinary" } };
    }
  }
}

interface BlockParts {
  readonly input: BlockInput;
  readonly version: PreparedVersion;
  readonly scope: ReturnType<typeof findScope>;
  readonly run: LoadedRun;
  readonly verdicts: Map<string, Verdict>;
  readonly signal: AbortSignal;
}

/** A step on its way, where it lies. */
interface Doing {
  readonly path: string;
  readonly at: At;
  readonly startedAt: Date;
  readonly ended?: ItemEnd | undefined;
}

function createBlock(environment: Environment, { input, version, scope, run, verdicts, signal }: BlockParts) {
  const { pool, kinds } = environment;
  const key: RunKey = { runId: input.runId, fence: input.fence };
  const memory = createMemory(pool, key.runId);
  const unsealed = createUnsealed((rows) => sealRows(pool, key, rows));
  const own = new Set(scope.paths);
  /** Paths walked from where the workflow stands. */
  const walked = new Set<string>();
  const deadline = Date.now() + version.version.plan.blockMs;
  let halt: Halt | undefined;
  /** The step that is being done. */
  let current: HaltedAt | undefined;

  const executor: Executor = {
    async execute(step, path, at, ended) {
      note(step, path);
      const known = verdicts.get(path);
      if (known !== undefined) return known.kind === "items" ? goOn(step, path, known) : known;
      if (halt === undefined && !step.quick) stop({ why: "ordinary" }, step, path);
      else if (isOver()) stop({ why: "time" }, step, path);
      if (halt !== undefined) return "halt";
      current = { path, node: step.node };
      const verdict = await doStep(step, { path, at, ended, startedAt: new Date() });
      if (verdict !== "halt") verdicts.set(path, verdict);
      return verdict;
    },
    enter(step, path) {
      note(step, path);
      const known = verdicts.get(path);
      if (known !== undefined) return Promise.resolve(known);
      if (step.control === "parallel" || step.quick) return Promise.resolve("walk");
      stop({ why: "ordinary" }, step, path);
      return Promise.resolve("halt");
    },
    resting: () => halt !== undefined || isOver(),
  };

  function isOver(): boolean {
    return walked.size > mostSteps || Date.now() > deadline || signal.aborted;
  }

  function note(step: PlanStep, path: string): void {
    if (own.has(path) && step.control !== "open" && (path === input.from || walked.size > 0)) walked.add(path);
  }

  /** The first reason to hand back is the one that counts. */
  function stop(reason: Halt, step: PlanStep, path: string): void {
    halt ??= { ...reason, at: { path, node: step.node } };
  }

  /** A loop that was opened before: how far it is, and what is sealed of items that were begun. */
  async function goOn(step: PlanStep, path: string, opened: Verdict): Promise<Verdict> {
    const verdict = await withProgress(pool, { runId: key.runId, path }, opened);
    const loop = version.loopOf(step);
    if (verdict.kind !== "items" || loop === undefined) return verdict;
    const { from = 0, done = [], count } = verdict;
    const paths: string[] = [];
    // Items are begun in order: of those that are not over, the first ones may be.
    for (let [index, begun] = [from, 0]; index < count && begun < loop.concurrency; index++) {
      if (done.includes(index)) continue;
      paths.push(...pathsOf(loop.steps, `${loopOf(path)}[${index}].`));
      begun += 1;
    }
    for (const [sealed, known] of await loadVerdicts(pool, key.runId, paths)) verdicts.set(sealed, known);
    return verdict;
  }

  async function doStep(step: PlanStep, doing: Doing): Promise<Verdict | "halt"> {
    await unsealed.sealAround(doing.at.lane);
    if (step.control === "iterator") return endLoop(step, doing);
    let resolved: Json | null = null;
    const { path, at } = doing;
    const riders = unsealed.ridersOf(at.lane);
    try {
      const performed = await performNode(version.node(step), {
        context: await createContext(environment, { run, key, path, signal }),
        kinds,
        evaluation: await evaluationOf(step, path),
        seal(sealedInput) {
          resolved = sealedInput;
          const row = { ...ownRow(doing), kind: step.kind, input: sealedInput, error: null };
          return createSeal(key, row, riders.rows);
        },
        ...(await closingOf(doing)),
      });
      if ("waitId" in performed) {
        stop({ why: "wait", waitId: performed.waitId }, step, path);
        return "halt";
      }
      if (performed.sealed) riders.sealed();
      return accept(step, doing, performed);
    } catch (error) {
      if (error instanceof TooManyPages) {
        stop({ why: "ordinary" }, step, path);
        return "halt";
      }
      const meaning = meaningOf(error);
      if (meaning.kind !== "answer") throw error;
      return fail(step, { ...doing, input: resolved }, meaning);
    }
  }

  const ownRow = ({ path, startedAt }: Pick<Doing, "path" | "startedAt">) =>
    ({ path, attempts: 1, attempt: null, lane: "quick", startedAt }) as const;

  function accept(step: PlanStep, doing: Doing, performed: Performed): Verdict {
    const { path, at } = doing;
    if (performed.sealed) environment.recordsChanged();
    else unsealed.add(at.lane, rowOf(step, ownRow(doing), performed));
    if (step.control === "item") forget(`${path}.`);
    else if (step.control === "open") memory.keepItems(path, performed.output);
    else remember(path, { status: performed.status, error: null, output: performed.output });
    return performed.verdict;
  }

  async function fail(
    step: PlanStep,
    failed: Doing & { input: Json | null },
    { failure, retryable }: { failure: StepFailure; retryable: boolean },
  ): Promise<Verdict | "halt"> {
    const { path, startedAt, at } = failed;
    if (retryable && step.retry.maximumAttempts > 1) {
      await unsealed.sealAll();
      const pauseMs = pauseAfter(step.retry, 1);
      const beside = step.beside === true;
      const next = await failAttempt(pool, key, { path, attempt: 1, error: failure, startedAt, pauseMs, beside });
      if (next.kind === "wait") environment.slotFreed();
      stop(next.kind === "soon" ? { why: "retry", inMs: next.inMs } : { why: "wait", waitId: next.waitId }, step, path);
      return "halt";
    }
    const row = failedRow(step, { ...ownRow(failed), input: failed.input }, failure);
    unsealed.add(at.lane, row);
    remember(path, row);
    return row.verdict;
  }

  async function endLoop(step: IteratorStep, doing: Doing): Promise<Verdict> {
    await unsealed.sealAll();
    return closeLoop(pool, key, { step, own: ownRow(doing) });
  }

  async function closingOf({ path, ended }: Doing) {
    if (ended === undefined) return {};
    if (ended.kind === "failed") await unsealed.sealAll();
    return { closing: await describeClosing(pool, { runId: key.runId, path, ended }, memory.pages) };
  }

  async function evaluationOf(step: PlanStep, path: string) {
    const row = await memory.read(version.needs(step.node, path).rows, isThere);
    return createEvaluation(
      environment,
      { version, node: step.node },
      { run, path, row, pages: memory.pages, mostPages },
    );
  }

  /** What lies in what is walked here is known; of what lies around it, the ledger is asked. */
  function isThere(path: string): boolean {
    return verdicts.has(path) || !path.startsWith(scope.prefix);
  }

  function remember(path: string, row: { status: string; error: Json; output: Json | null }): void {
    memory.remember(path, { status: row.status, error: row.error, parts: new Map([[pathKey([]), row.output]]) });
  }

  function forget(prefix: string): void {
    memory.forget(prefix);
    for (const path of verdicts.keys()) if (path.startsWith(prefix) && !own.has(path)) verdicts.delete(path);
  }

  async function walk(): Promise<BlockResult> {
    const ending = await scope.walk(executor);
    if (input.scope === undefined && ending !== undefined && ending.kind !== "halted") return close(ending);
    await unsealed.sealAll();
    return { steps: { ...sealedSteps(), ...stoppedIn(ending) }, ...(halt === undefined ? {} : { halt }) };
  }

  async function close(ending: Exclude<Ending, { kind: "halted" }>): Promise<BlockResult> {
    const row = await memory.read(version.outputNeeds.rows, isThere);
    const failed = ending.kind === "failed" ? unsealed.find(ending.path) : undefined;
    if (ending.kind === "stopped") await unsealed.sealAll();
    const end = await describeEnd(environment, { version, run, key, ending, row, failed });
    await sealRows(pool, key, unsealed.all(), end.end);
    unsealed.clear();
    environment.slotFreed();
    if (run.keyed) await releaseKey(pool, key.runId).catch(() => {});
    return { steps: sealedSteps(), ending: end.ending };
  }

  /** A step within a loop that was walked here ended the run: so does the loop, for whoever walks around it. */
  function stoppedIn(ending: Ending | undefined): BlockResult["steps"] {
    if (ending?.kind !== "stopped" || own.has(ending.path)) return {};
    const loop = ending.path.slice(0, ending.path.indexOf("[", scope.prefix.length));
    return { [loop]: { kind: "stop", as: ending.as, path: ending.path } };
  }

  function sealedSteps(): BlockResult["steps"] {
    const known = [...walked].flatMap((path) => {
      const verdict = unsealed.find(path) === undefined ? verdicts.get(path) : undefined;
      return verdict === undefined ? [] : [[path, verdict] as const];
    });
    return Object.fromEntries(known);
  }

  /** What it has come to while a step of it takes too long. */
  function giveUp(): BlockResult {
    halt ??= { why: "ordinary", ...(current === undefined ? {} : { at: current }) };
    return { steps: sealedSteps(), halt };
  }

  return { walk, giveUp, sealed: sealedSteps };
}
