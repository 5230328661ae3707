import type { Starting } from "../catalog/triggers.ts";
import type { JsonObject } from "../json.ts";
import type { NewRun } from "./enqueue.ts";
import { createLookup } from "./lookup.ts";
import { pathKey } from "./path-key.ts";

type Verdict = Pick<NewRun, "concurrency" | "over">;

/** Of a schedule whose workflow says nothing of it: one firing at a time, and none waits. */
const ofSchedules = { key: "schedule", limit: 1, scope: "workflow", whenBusy: "skip" } as const;

/**
 * What a run's concurrency key is, before the run is committed. A key that cannot be evaluated does not
 * refuse the run: it is kept as failed, with the reason (DURABILITY.md §7).
 */
export function evaluateConcurrency(
  { version, settings, workspace }: Starting,
  { trigger, now }: { trigger: JsonObject; now: Date },
): Verdict {
  const { concurrency } = version.definition;
  const { concurrencyKey } = version.compiled;
  if (concurrency === undefined || concurrencyKey === undefined)
    return trigger["kind"] === "schedule" ? { concurrency: ofSchedules } : {};
  const facts = { settings, run: {}, workspace: { timeZone: workspace.timeZone, currency: workspace.currency } };
  const lookup = createLookup({ facts, trigger: new Map([[pathKey([]), trigger]]), row: () => undefined }, noSteps, 0);
  try {
    const key = concurrencyKey.evaluate({ lookup, timeZone: workspace.timeZone, now });
    if (typeof key !== "string" && typeof key !== "number" && typeof key !== "boolean")
      return failure("concurrency.key: gave no text or number. Add a `default` for when it is missing.");
    const { limit, scope, whenBusy } = concurrency;
    return { concurrency: { key: String(key), limit, scope, whenBusy } };
  } catch (error) {
    return failure(error instanceof Error ? error.message : String(error));
  }
}

function failure(message: string): Verdict {
  return { over: { status: "failed", reason: { code: "concurrency-key", message } } };
}

// Activation refuses a key that names a step.
const noSteps = { byId: new Map(), handlerOf: new Map(), loopsOf: new Map() };
