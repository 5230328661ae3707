import type { StepKinds } from "../../activities/step-kind.ts";
import { startingOf, type ArmedTrigger, type Starting } from "../../catalog/triggers.ts";
import type { Origin } from "../../crm/objects.ts";
import { createId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { describeRun } from "../describe-run.ts";
import { enqueueRuns, type NewRun } from "../enqueue.ts";
import { claimStops } from "./loops.ts";
import type { Started } from "./outbox.ts";

/** A run that events are to start. */
export interface RunStart {
  readonly armed: ArmedTrigger;
  /** What the trigger gives, besides its id and kind. */
  readonly gives: JsonObject;
  /** Of its last event. */
  readonly eventId: number;
  /** The run that wrote; of several the deepest. */
  readonly origin: Origin | null;
  /** It is kept as failed, with this reason. */
  readonly fault?: string | undefined;
  readonly id?: string;
  readonly keptLists?: { readonly [name: string]: number };
}

/** Most runs in one statement. */
const chunk = 250;

/**
 * Enqueues runs in the caller's transaction. A start that cannot be described is kept as a failed run.
 * Of the chains of runs that go too deep each has one run that says so: the others' events get that one.
 */
export async function startRuns(
  sql: Sql,
  { kinds }: { kinds: StepKinds },
  starts: readonly RunStart[],
): Promise<Started[]> {
  if (starts.length === 0) return [];
  const startings = await loadStartings(sql, kinds, starts);
  const described = starts.map((start) => ({ start, run: describe(start, startings.get(start.armed.workflowId)) }));
  const stops = described.filter(({ run }) => run.over?.status === "stopped-as-loop").map(({ run }) => run);
  const standing = await claimStops(sql, stops);
  const runs = described.map(({ run }) => run).filter(({ id }) => (standing.get(id) ?? id) === id);
  for (let from = 0; from < runs.length; from += chunk) await enqueueRuns(sql, runs.slice(from, from + chunk));
  return described.map(({ start, run }) => ({ eventId: start.eventId, runId: standing.get(run.id) ?? run.id }));
}

/** What the workflows need to start; where that cannot be had, why. */
async function loadStartings(
  sql: Sql,
  kinds: StepKinds,
  starts: readonly RunStart[],
): Promise<Map<string, Starting | Error>> {
  const loaded = new Map<string, Starting | Error>();
  for (const { armed } of starts) {
    if (loaded.has(armed.workflowId)) continue;
    const starting = await startingOf(sql, { kinds }, armed).catch((error: unknown) => asError(error));
    loaded.set(armed.workflowId, starting);
  }
  return loaded;
}

function describe(start: RunStart, starting: Starting | Error | undefined): NewRun {
  const { armed, gives, origin, fault, id, keptLists } = start;
  const trigger: JsonObject = { ...gives, id: armed.triggerId, kind: armed.kind };
  if (fault !== undefined) return failedRun(start, fault);
  if (starting === undefined || starting instanceof Error) return failedRun(start, String(starting?.message));
  try {
    return describeRun(starting, {
      trigger,
      origin: origin ?? undefined,
      ...(id === undefined ? {} : { id }),
      ...(keptLists === undefined ? {} : { keptLists }),
    });
  } catch (error) {
    return failedRun(start, asError(error).message);
  }
}

/** A run that is over at once: its workflow's trigger could not be read, or not what it gives. */
function failedRun({ armed, gives, origin, id, keptLists }: RunStart, message: string): NewRun {
  const { workspace, workflowId, versionId, settings, triggerId, kind } = armed;
  return {
    id: id ?? createId(),
    workspaceId: workspace.id,
    workflowId,
    versionId,
    settings,
    trigger: { ...gives, id: triggerId, kind },
    origin: origin ?? undefined,
    ...(keptLists === undefined ? {} : { keptLists }),
    over: { status: "failed", reason: { code: "trigger", message: `Trigger "${triggerId}": ${message}` } },
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
