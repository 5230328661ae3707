import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
  proxySinks,
  setCurrentDetails,
  setHandler,
  sleep,
} from "@temporalio/workflow";
import type {
  Activities,
  BlockResult,
  CloseInput,
  CloseResult,
  Halt,
  RunEnding,
  RunInput,
  RunSinks,
} from "../activities/contract.ts";
import { interpret } from "../definition/interpret.ts";
import type { Plan, PlanStep, Verdict } from "../definition/plan.ts";

/** Rung when something the run waits for was settled: it says "look", nothing else. */
export const doorbell = defineSignal("doorbell");

/** A run looks at its wait by itself this often, should every ring be lost. */
const lookAgain = "3 minutes";
/** Longer than a step's own time by this: the activity ends itself, Temporal only when it cannot. */
const graceMs = 30_000;

const local = proxyLocalActivities<Pick<Activities, "runBlock" | "readWait" | "closeRun">>({
  startToCloseTimeout: "8s",
  // They never throw; a try that is lost with its worker is repeated with the workflow task.
  retry: { maximumAttempts: 3, initialInterval: "100ms" },
});

const { runs } = proxySinks<RunSinks>();

/** What the Web UI shows as the workflow's result: how each step came out. */
export interface RunSummary {
  readonly steps: { readonly [path: string]: string };
}

/** One run: walks the plan, and writes nothing but by activities. */
export async function run(input: RunInput): Promise<RunSummary> {
  runs.begun();
  const walker = createWalker(input);
  const ending = await walker.walk().catch((error: unknown): CloseInput["ending"] => {
    if (isCancellation(error)) return { kind: "cancelled" };
    throw error;
  });
  const scope = CancellationScope.current();
  const closed = walker.closed() ?? (await CancellationScope.nonCancellable(() => close(input, ending, scope)));
  report(closed);
  return { steps: walker.states() };
}

/** Makes the workflow end in Temporal as the run ended in the ledger. */
function report(ending: CloseInput["ending"]): void {
  if (ending.kind === "cancelled") throw new CancelledFailure("The run was cancelled");
  if (ending.kind === "failed") {
    const tries = ending.attempts === 1 ? "1 attempt" : `${ending.attempts} attempts`;
    const message = `Step "${ending.path}" failed after ${tries}: ${ending.code}`;
    throw ApplicationFailure.create({ message, type: ending.code, nonRetryable: true, category: "BENIGN" });
  }
}

function createWalker(input: RunInput) {
  const { runId, fence, versionId, plan, queuePrefix } = input;
  const key = { runId, fence, versionId };
  const verdicts = new Map<string, Verdict>();
  const progress = createProgress();
  let rings = 0;
  let closed: RunEnding | undefined;
  setHandler(doorbell, () => {
    rings += 1;
  });

  async function execute(step: PlanStep, path: string): Promise<Verdict | "halt"> {
    const known = verdicts.get(path);
    if (known !== undefined) return known;
    if (step.quick) {
      const block = await runBlock(step, path);
      if (closed !== undefined) return "halt";
      const verdict = verdicts.get(path);
      if (verdict !== undefined) return verdict;
      if (block.halt?.why === "time") return execute(step, path);
    }
    return ordinary(step, path);
  }

  async function runBlock(step: PlanStep, path: string): Promise<BlockResult> {
    const block = await local.runBlock
      .executeWithOptions({ summary: summaryOf(plan, step) }, [{ ...key, from: path }])
      .catch(lost<BlockResult>({ steps: {} }));
    for (const [done, verdict] of Object.entries(block.steps)) {
      verdicts.set(done, verdict);
      progress.note(done, verdict);
    }
    closed = block.ending;
    if (block.halt !== undefined) await pause(block.halt);
    return block;
  }

  async function pause(halt: Halt): Promise<void> {
    if (halt.why === "retry") await sleep(halt.inMs);
    if (halt.why === "wait") await settled(halt.waitId);
  }

  async function settled(waitId: string): Promise<void> {
    for (;;) {
      const heard = rings;
      const settledNow = await local.readWait
        .executeWithOptions({ summary: waitId }, [{ runId, waitId }])
        .catch(lost(false));
      if (settledNow) return;
      await condition(() => rings > heard, lookAgain);
    }
  }

  async function ordinary(step: PlanStep, path: string): Promise<Verdict> {
    const { runStep } = proxyActivities<Pick<Activities, "runStep">>({
      taskQueue: `${queuePrefix}-${step.queue}`,
      startToCloseTimeout: step.timeoutMs + graceMs,
      heartbeatTimeout: "5s",
      retry: { initialInterval: "250ms", backoffCoefficient: 2, maximumInterval: "5s" },
      summary: step.name === step.id ? step.id : `${step.name} (${step.id})`,
    });
    for (;;) {
      progress.begin(path);
      const answer = await runStep({ ...key, node: step.node, path }).catch(verdictOfFailure);
      if ("verdict" in answer) {
        progress.note(path, answer.verdict);
        return answer.verdict;
      }
      progress.wait(path);
      await settled(answer.waitId);
    }
  }

  return {
    states: () => progress.states(),
    /** How the run ended, if a block has closed it. */
    closed: () => closed,
    async walk(): Promise<RunEnding> {
      const ending = await interpret(plan, execute);
      if (closed !== undefined) return closed;
      if (ending.kind === "halted")
        throw ApplicationFailure.nonRetryable(`The walk halted at ${ending.path} without an end`, "Interpreter");
      return ending;
    },
  };
}

/** A local activity that was lost with its worker, or hung, counts as one that did nothing. */
function lost<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ActivityFailure && !isCancellation(error)) return instead;
    throw error;
  };
}

/** A step that failed for good ends its activity as failed; the sealed verdict rides along. */
function verdictOfFailure(error: unknown): { verdict: Verdict } {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (cause instanceof ApplicationFailure && cause.type === "StepFailed") {
    const verdict = cause.details?.[0] as Verdict | undefined;
    if (verdict !== undefined) return { verdict };
  }
  throw error;
}

/** Until the ledger is closed: Postgres may be away, or a cancel that raised the fence on its way here. */
async function close(
  { runId, fence, versionId }: RunInput,
  ending: CloseInput["ending"],
  scope: CancellationScope,
): Promise<CloseInput["ending"]> {
  for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
    const wanted = scope.consideredCancelled ? { kind: "cancelled" as const } : ending;
    const result = await local
      .closeRun({ runId, fence, versionId, ending: wanted })
      .catch(lost<CloseResult>({ again: "unavailable" }));
    if ("closed" in result) return result.closed;
    await sleep(pauseMs);
  }
}

function summaryOf(plan: Plan, first: PlanStep): string {
  const last = plan.steps.at(-1);
  return last === undefined || last.id === first.id ? first.name : `${first.name} … ${last.name}`;
}

/** The short table of steps that Temporal's Web UI shows as the workflow's current details. */
function createProgress() {
  const rows = new Map<string, string>();
  const mostShown = 40;
  const show = (): void => {
    const shown = [...rows].slice(-mostShown).map(([path, state]) => `| ${path} | ${state} |`);
    setCurrentDetails(["| step | state |", "| --- | --- |", ...shown].join("\n"));
  };
  const set = (path: string, state: string): void => {
    rows.set(path, state);
    show();
  };
  return {
    states: () => Object.fromEntries([...rows].slice(-mostShown)),
    begin: (path: string) => set(path, "running"),
    wait: (path: string) => set(path, "waits for its next try"),
    note: (path: string, verdict: Verdict) => set(path, stateOf(verdict)),
  };
}

function stateOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case "done":
      return "done";
    case "end":
      return "not passed: the run ends";
    case "branch":
      return verdict.index === null ? "no branch taken" : `branch ${verdict.index}`;
    case "failed":
      return `failed: ${verdict.code}${verdict.handled === "no" ? "" : ", handled"}`;
  }
}
