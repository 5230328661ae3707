import { fire, type NoRun } from "../runs/schedules/fire.ts";
import type { FireAnswer, FireInput } from "./contract.ts";
import type { Environment } from "./environment.ts";

const sentences: Readonly<Record<NoRun, string>> = {
  "not-active": "The workflow is not active, or has this trigger no more.",
  "no-such-time": "This is not one of the schedule's times as it is now.",
  paused: "The schedule is paused.",
  "too-late": "The catch-up time had passed before a worker could take it. It is counted as missed.",
  "fired-before": "This moment has its run already.",
};

/** Enqueues the run of a moment that Temporal rang for. */
export async function fireSchedule(
  { pool, kinds, slotFreed }: Environment,
  { workflowId, triggerId, at, rangAt }: FireInput,
): Promise<FireAnswer> {
  const fired = await fire({ pool, kinds }, { workflowId, triggerId, at: new Date(at), rangAt: new Date(rangAt) });
  if ("nothing" in fired) return { nothing: sentences[fired.nothing] };
  // A run waits for a slot.
  slotFreed();
  return fired;
}
