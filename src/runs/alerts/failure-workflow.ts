import type { StepKinds } from "../../activities/step-kind.ts";
import { findFailureTrigger } from "../../catalog/failure-workflow.ts";
import { startingOf } from "../../catalog/triggers.ts";
import { unlessUnreadable } from "../../catalog/versions.ts";
import type { Sql } from "../../sql.ts";
import { inputsOfFailure } from "../../triggers/manual/failure.ts";
import { readInputs } from "../../triggers/manual/inputs.ts";
import { describeRun } from "../describe-run.ts";
import { enqueueRuns, type NewRun } from "../enqueue.ts";
import { linkToRun, type Links } from "./compose.ts";
import type { FailedRun, Watched } from "./store.ts";

const longestText = 10_000;

/** Failures that are to start a workflow. */
export interface FailureStarts {
  readonly watched: Watched;
  /** Key of the workflow that they start. */
  readonly key: string;
  readonly failures: readonly FailedRun[];
  readonly links: Links;
}

/**
 * Enqueues a run of the workflow for each failure, in the caller's transaction. They count as led to by
 * the runs that failed, so that a chain ends. Gives why there are none, where that is so.
 */
export async function startFailureWorkflow(
  sql: Sql,
  { kinds }: { kinds: StepKinds },
  { watched, key, failures, links }: FailureStarts,
): Promise<string | undefined> {
  const trigger = await findFailureTrigger(sql, { workspaceId: watched.workspaceId, key });
  if (trigger === undefined)
    return `The workflow "${key}" was not started: it has no manual trigger, or was never activated.`;
  const { armed, inputs: declared } = trigger;
  if (!armed.active) return `The workflow "${key}" was not started: it is not active.`;
  const starting = await unlessUnreadable(() => startingOf(sql, { kinds }, armed));
  if (starting === undefined) return `The workflow "${key}" was not started: its active version cannot be read.`;
  const runs: NewRun[] = [];
  for (const { failure, origin } of failures) {
    const { runId, step, code, message, attempts, failedAt } = failure;
    const given = inputsOfFailure(declared, {
      workflow: watched.key,
      workflowName: watched.name,
      run: runId,
      step,
      code,
      message: message.slice(0, longestText).toWellFormed(),
      attempts,
      failedAt: failedAt.toISOString(),
      link: linkToRun(links, runId),
    });
    const { values, issues } = readInputs(declared, given);
    if (issues[0] !== undefined)
      return `The workflow "${key}" was not started: ${issues[0].path} ${issues[0].message}.`;
    runs.push(
      describeRun(starting, {
        trigger: { id: armed.triggerId, kind: "manual", inputs: values },
        origin,
        launchedBy: { kind: "failure", workflow: watched.key, run: runId },
      }),
    );
  }
  await enqueueRuns(sql, runs);
  return undefined;
}
