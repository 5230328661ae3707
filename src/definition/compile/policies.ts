import type { StepKind } from "../../activities/step-kind.ts";
import type { JsonObject } from "../../json.ts";
import type { RetryPolicy } from "../plan.ts";
import { durationMs, type StepDefinition } from "../schema.ts";

/** Of control steps, which meet no target that could answer later: they are tried once. */
export const controlPolicy = {
  retry: { maximumAttempts: 1, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
  timeoutMs: 30_000,
} as const;

/** Whether the quick lane may do a step of the kind with this input, as written. */
export function isQuick(kind: StepKind | undefined, input: JsonObject): boolean {
  if (kind === undefined) return false;
  return kind.quick?.(input) ?? (kind.effect === "read" || kind.effect === "record");
}

/** A step's own time, or its kind's, in milliseconds. */
export function timeoutOf(source: StepDefinition, kind: StepKind | undefined): number {
  if (source.timeout !== undefined) return durationMs(source.timeout);
  const own = "input" in source ? kind?.timeoutFor?.(source.input) : undefined;
  return own ?? kind?.timeoutMs ?? controlPolicy.timeoutMs;
}

/** The kind's policy, with what the step says otherwise. */
export function retryOf(
  source: Extract<StepDefinition, { input: object }>["retry"],
  kind: StepKind | undefined,
): RetryPolicy {
  const usual = kind?.retry ?? controlPolicy.retry;
  if (source === undefined) return usual;
  return {
    maximumAttempts: source.maximumAttempts ?? usual.maximumAttempts,
    initialIntervalMs:
      source.initialInterval === undefined ? usual.initialIntervalMs : durationMs(source.initialInterval),
    backoffCoefficient: source.backoffCoefficient ?? usual.backoffCoefficient,
    maximumIntervalMs:
      source.maximumInterval === undefined ? usual.maximumIntervalMs : durationMs(source.maximumInterval),
  };
}
