import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  isCancellation,
  proxySinks,
  sleep,
} from "@temporalio/workflow";
import type { CloseInput, CloseResult, RunInput, RunSinks } from "../activities/contract.ts";
import { interpret } from "../definition/interpret.ts";
import { local, lost } from "./activities.ts";
import { createWalker } from "./walker.ts";

const { runs } = proxySinks<RunSinks>();

/** What the Web UI shows as the workflow's result: how each step came out. */
export interface RunSummary {
  readonly steps: { readonly [path: string]: string };
}

/** One run: walks the plan, and writes nothing but by activities. */
export async function run(input: RunInput): Promise<RunSummary> {
  runs.begun();
  const { runId, fence, versionId, plan, queuePrefix } = input;
  const walker = createWalker({ key: { runId, fence, versionId }, queuePrefix, steps: plan.steps });
  const ending = await interpret(plan, walker.executor).catch((error: unknown): CloseInput["ending"] => {
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
  if (ending.kind === "stopped" && ending.as === "failed") throw failure(`Step "${ending.path}" stopped it`, "stopped");
  if (ending.kind === "failed") {
    const tries = ending.attempts === 1 ? "1 attempt" : `${ending.attempts} attempts`;
    throw failure(`Step "${ending.path}" failed after ${tries}: ${ending.code}`, ending.code);
  }
}

function failure(message: string, type: string): ApplicationFailure {
  return ApplicationFailure.create({ message, type, nonRetryable: true, category: "BENIGN" });
}

/** Until the ledger is closed: Postgres may be away, or a cancel that raised the fence on its way here. */
async function close(
  { runId, fence, versionId }: RunInput,
  ending: Awaited<ReturnType<typeof interpret>> | { kind: "cancelled" },
  scope: CancellationScope,
): Promise<CloseInput["ending"]> {
  if (ending.kind === "halted")
    throw ApplicationFailure.nonRetryable(`The walk halted at ${ending.path} without an end`, "Interpreter");
  for (let pauseMs = 250; ; pauseMs = Math.min(pauseMs * 2, 5_000)) {
    const wanted = scope.consideredCancelled ? { kind: "cancelled" as const } : ending;
    const result = await local
      .closeRun({ runId, fence, versionId, ending: wanted })
      .catch(lost<CloseResult>({ again: "unavailable" }));
    if ("closed" in result) return result.closed;
    await sleep(pauseMs);
  }
}
