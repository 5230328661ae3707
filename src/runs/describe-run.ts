import type { Starting } from "../catalog/triggers.ts";
import { createId } from "../ids.ts";
import type { Json, JsonObject } from "../json.ts";
import { evaluateConcurrency } from "./concurrency.ts";
import type { NewRun, RunOrigin, RunReason } from "./enqueue.ts";

/** Runs that led to one another, at most: a run past it is not started (DESIGN.md §4). */
export const deepestRun = 5;

/** How a run came about. */
export interface Start {
  /** `{ id, kind, … }` and what the trigger gives. */
  readonly trigger: JsonObject;
  /** The run whose write or launch led to this one. */
  readonly origin?: RunOrigin | undefined;
  readonly priority?: NonNullable<NewRun["priority"]>;
  /** The step of a run that starts it. */
  readonly caller?: NonNullable<NewRun["caller"]>;
  readonly scheduledAt?: Date;
  readonly launchedBy?: JsonObject;
  /** Lists below `trigger` that may be long. */
  readonly lists?: { readonly [name: string]: readonly Json[] };
  /** The same of lists whose pages are kept already, under the run's id: how many items each has. */
  readonly keptLists?: { readonly [name: string]: number };
  /** Default: a new one. */
  readonly id?: string;
  /** It is to be kept, but not to run: with this reason. */
  readonly skip?: RunReason;
}

/** The run that comes of a start: with its concurrency key, and with the reason if it is over at once. */
export function describeRun(starting: Starting, start: Start): NewRun {
  const { workspace, workflowId, version, settings } = starting;
  const { skip: _skip, ...how } = start;
  return {
    id: createId(),
    workspaceId: workspace.id,
    workflowId,
    versionId: version.id,
    settings,
    ...how,
    ...verdictOf(starting, start),
  };
}

function verdictOf(starting: Starting, { trigger, origin, skip }: Start): Pick<NewRun, "concurrency" | "over"> {
  if (origin !== undefined && origin.depth >= deepestRun) return { over: stoppedAsLoop(origin) };
  if (skip !== undefined) return { over: { status: "skipped", reason: skip } };
  return evaluateConcurrency(starting, { trigger, now: new Date() });
}

function stoppedAsLoop({ depth, runId }: RunOrigin): NonNullable<NewRun["over"]> {
  return {
    status: "stopped-as-loop",
    reason: {
      code: "loop",
      message: `${depth + 1} runs led to one another, the last of them ${runId}; this one would be too many, and was not started. Look at what the workflows write: one of them starts another.`,
    },
  };
}
