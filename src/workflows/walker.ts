import {
  CancellationScope,
  condition,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  proxyActivities,
  sleep,
} from "@temporalio/workflow";
import type {
  Activities,
  BlockResult,
  BlockScope,
  CloseInput,
  Halt,
  LoopInput,
  VersionKey,
} from "../activities/contract.ts";
import type { At, Executor } from "../definition/interpret.ts";
import {
  openingOf,
  planNodes,
  type ItemEnd,
  type IteratorStep,
  type PlanStep,
  type Verdict,
} from "../definition/plan.ts";
import { lost, remote, verdictOfFailure } from "./activities.ts";
import { createProgress } from "./progress.ts";
import { createWaiting } from "./waiting.ts";

/** Longer than a step's own time by this: the activity ends itself, Temporal only when it cannot. */
const graceMs = 30_000;

/** Blocks of a loop that may come to nothing, one after the other. */
const mostFaults = 3;

/** Whose steps are walked, and where. */
export interface Walked {
  readonly key: VersionKey;
  readonly queuePrefix: string;
  readonly steps: readonly PlanStep[];
  /** Of a loop's own workflow. */
  readonly loop?: string;
  /** Begins no further items of its loop, so that it can go on in a new execution. */
  resting?(): boolean;
}

/** What walks a plan in a workflow: steps are activities, quick ones in blocks, loops workflows of their own. */
export function createWalker({ key, queuePrefix, steps, loop, resting }: Walked) {
  const { runId, fence } = key;
  const nodes = planNodes({ steps });
  const verdicts = new Map<string, Verdict>();
  /** Steps that a block handed back: they are done as activities. */
  const handedBack = new Set<string>();
  const progress = createProgress();
  const { counted, settled, by } = createWaiting({ key, loop, beside: remote(`${queuePrefix}-runs`) });
  let closed: CloseInput["ending"] | undefined;

  const executor: Executor = {
    execute: (step, path, at, ended) => counted(() => execute(step, { path, at, ended })),
    enter: (step, path, at) => counted(() => enter(step, path, at)),
    resting: () => resting?.() === true,
  };

  interface Doing {
    readonly path: string;
    readonly at: At;
    readonly ended?: ItemEnd | undefined;
  }

  async function execute(step: PlanStep, doing: Doing): Promise<Verdict | "halt"> {
    const { path } = doing;
    const verdict = verdicts.get(path) ?? (await decide(step, doing));
    if (step.control === "item" && verdict !== "halt") forget(`${path}.`);
    return verdict;
  }

  async function decide(step: PlanStep, doing: Doing): Promise<Verdict | "halt"> {
    const { path, at } = doing;
    // A loop that is walked here is opened and closed by activities.
    const isQuick = step.quick && step.control !== "open" && step.control !== "iterator";
    while (isQuick && !handedBack.has(path)) {
      const block = await runBlock(step, path, at);
      if (closed !== undefined || at.stopped()) return "halt";
      const verdict = verdicts.get(path);
      if (verdict !== undefined) return verdict;
      if (block.halt?.why !== "time" && block.halt?.why !== "slot") break;
    }
    return ordinary(step, doing);
  }

  async function enter(step: PlanStep, path: string, at: At): Promise<Verdict | "halt" | "walk"> {
    if (step.control !== "iterator") return "walk";
    return verdicts.get(path) ?? (step.quick ? quickLoop(step, path, at) : loopOfItsOwn(step, path, at));
  }

  /**
   * Blocks do the loop, one after the other; a step of it that they hand back is done in between. What they
   * cannot do is for a workflow of the loop's own: the end of an item that they hand back, since they do not say
   * how it came about, and what is a fault each time.
   */
  async function quickLoop(step: IteratorStep, path: string, at: At): Promise<Verdict | "halt"> {
    for (let faults = 0; faults < mostFaults;) {
      const { halt } = await runBlock(step, path, at);
      if (closed !== undefined || at.stopped()) return "halt";
      const verdict = verdicts.get(path);
      if (verdict !== undefined) return verdict;
      const goesOn = halt === undefined || halt.why === "time" || halt.why === "slot";
      faults = goesOn || halt.at !== undefined ? 0 : faults + 1;
      if (goesOn) continue;
      const inner = halt.at && nodes[halt.at.node];
      if (inner?.control === "item") break;
      // Where it is not said which, the loop's opening waits for Postgres, or hears that the run is not open.
      const undone = { path: halt.at?.path ?? openingOf(path), at };
      if ((await ordinary(inner ?? step.open, undone)) === "halt") return "halt";
      if (faults > 0) await sleep("1 second");
    }
    return loopOfItsOwn(step, path, at);
  }

  async function loopOfItsOwn(step: IteratorStep, path: string, at: At): Promise<Verdict | "halt"> {
    const input: LoopInput = { ...key, step, path, prefix: at.prefix, queuePrefix };
    const scope = new CancellationScope();
    const walking = scope.run(() =>
      executeChild<(input: LoopInput) => Promise<Verdict>>("loop", {
        args: [input],
        workflowId: `${runId}:${fence}:${path}`,
        parentClosePolicy: ParentClosePolicy.TERMINATE,
        staticSummary: step.name,
      }),
    );
    let isOver = false;
    const over = walking.catch(() => {}).then(() => (isOver = true));
    progress.begin(path);
    // A cancel of the run reaches the loop by itself, and is over when the loop is.
    await Promise.race([over, CancellationScope.nonCancellable(() => condition(() => isOver || at.stopped()))]);
    if (!isOver) scope.cancel();
    const verdict = await walking.catch((error: unknown) => {
      if (at.stopped() && isCancellation(error)) return "halt" as const;
      throw error;
    });
    if (verdict !== "halt") progress.note(path, verdict);
    return verdict;
  }

  async function runBlock(step: PlanStep, path: string, at: At): Promise<BlockResult> {
    const scope: BlockScope | undefined = at.scope && { ...at.scope, prefix: at.prefix };
    const block = await by(at)
      .runBlock.executeWithOptions({ summary: summaryOf(steps, step) }, [
        { ...key, from: path, ...(scope === undefined ? {} : { scope }) },
      ])
      .catch(lost<BlockResult>({ steps: {}, halt: { why: "ordinary" } }));
    for (const [done, verdict] of Object.entries(block.steps)) {
      verdicts.set(done, verdict);
      progress.note(done, verdict);
    }
    closed = block.ending ?? closed;
    const { halt } = block;
    if (halt?.at !== undefined && halt.why !== "time") handedBack.add(halt.at.path);
    if (halt !== undefined) await pause(halt, step, at);
    return block;
  }

  async function pause(halt: Halt, step: PlanStep, at: At): Promise<void> {
    if (halt.why === "retry") await sleep(halt.inMs);
    if (halt.why === "wait" || halt.why === "slot") await settled(halt.waitId, step, at);
  }

  async function ordinary(step: PlanStep, { path, at, ended }: Doing): Promise<Verdict | "halt"> {
    const { runStep } = proxyActivities<Pick<Activities, "runStep">>({
      taskQueue: `${queuePrefix}-${step.queue}`,
      startToCloseTimeout: step.timeoutMs + graceMs,
      heartbeatTimeout: "5s",
      retry: { initialInterval: "250ms", backoffCoefficient: 2, maximumInterval: "5s" },
      summary: step.name === step.id ? step.id : `${step.name} (${step.id})`,
    });
    for (;;) {
      progress.begin(path);
      const input = { ...key, node: step.node, path, ...(ended === undefined ? {} : { ended }) };
      const answer = await runStep(input).catch(verdictOfFailure);
      if ("verdict" in answer) {
        progress.note(path, answer.verdict);
        return answer.verdict;
      }
      if ("over" in answer) {
        closed = answer.over;
        return "halt";
      }
      progress.wait(path);
      await settled(answer.waitId, step, at);
      if (at.stopped()) return "halt";
    }
  }

  function forget(prefix: string): void {
    progress.forget(prefix);
    for (const path of verdicts.keys()) if (path.startsWith(prefix)) verdicts.delete(path);
    for (const path of handedBack) if (path.startsWith(prefix)) handedBack.delete(path);
  }

  return {
    executor,
    states: () => progress.states(),
    /** How the run ended, if a block has closed it, or it was closed before. */
    closed: () => closed,
  };
}

function summaryOf(steps: readonly PlanStep[], first: PlanStep): string {
  const last = steps.at(-1);
  return last === undefined || last.id === first.id ? first.name : `${first.name} … ${last.name}`;
}
