import type { JsonObject } from "../../json.ts";
import type { LoadedVersion } from "../../catalog/versions.ts";
import type { NewRun } from "../../runs/enqueue.ts";
import { createLookup, pathKey } from "../../runs/scope.ts";
import type { Workspace } from "../../workspace.ts";

type Verdict = Pick<NewRun, "concurrency" | "failure">;

/**
 * What a run's concurrency key is, before the run is committed. A key that cannot be evaluated does not
 * refuse the delivery: the run is kept as failed, with the reason (DURABILITY.md §7).
 */
export function evaluateConcurrency(
  version: LoadedVersion,
  { trigger, settings, workspace }: { trigger: JsonObject; settings: JsonObject; workspace: Workspace },
): Verdict {
  const { concurrency } = version.definition;
  const { concurrencyKey } = version.compiled;
  if (concurrency === undefined || concurrencyKey === undefined) return {};
  const facts = { settings, run: {}, workspace: { timeZone: workspace.timeZone, currency: workspace.currency } };
  const lookup = createLookup({ facts, trigger: new Map([[pathKey([]), trigger]]), row: () => undefined }, noSteps, 0);
  try {
    const key = concurrencyKey.evaluate({ lookup, timeZone: workspace.timeZone, now: new Date() });
    if (typeof key !== "string" && typeof key !== "number" && typeof key !== "boolean") {
      return {
        failure: {
          code: "concurrency-key",
          message: "concurrency.key: gave no text or number. Add a `default` for when it is missing.",
        },
      };
    }
    return { concurrency: { key: String(key), limit: concurrency.limit, scope: concurrency.scope } };
  } catch (error) {
    return { failure: { code: "concurrency-key", message: error instanceof Error ? error.message : String(error) } };
  }
}

// Activation refuses a key that names a step.
const noSteps = { byId: new Map(), handlerOf: new Map() };
