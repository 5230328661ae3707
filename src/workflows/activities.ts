import {
  ActivityFailure,
  ApplicationFailure,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from "@temporalio/workflow";
import type { Activities } from "../activities/contract.ts";
import type { Verdict } from "../definition/plan.ts";

/** Activities in the worker's own process. They never throw; a try that is lost with its worker is repeated. */
export const local = proxyLocalActivities<Pick<Activities, "runBlock" | "readWait" | "closeRun">>({
  startToCloseTimeout: "8s",
  retry: { maximumAttempts: 3, initialInterval: "100ms" },
});

/**
 * The same as activities of their own. Of local ones that are under way at once the order in which they came
 * back is not in the history: what is walked beside others may not depend on it.
 */
export const remote = (taskQueue: string) =>
  proxyActivities<Pick<Activities, "runBlock" | "readWait" | "park">>({
    taskQueue,
    startToCloseTimeout: "10s",
    retry: { initialInterval: "100ms", maximumInterval: "5s" },
  });

/** A local activity that was lost with its worker, or hung, counts as one that did nothing. */
export function lost<T>(instead: T): (error: unknown) => T {
  return (error) => {
    if (error instanceof ActivityFailure && !isCancellation(error)) return instead;
    throw error;
  };
}

/** A step that failed for good ends its activity as failed; the sealed verdict rides along. */
export function verdictOfFailure(error: unknown): { verdict: Verdict } {
  const cause = error instanceof ActivityFailure ? error.cause : undefined;
  if (cause instanceof ApplicationFailure && cause.type === "StepFailed") {
    const verdict = cause.details?.[0] as Verdict | undefined;
    if (verdict !== undefined) return { verdict };
  }
  throw error;
}
