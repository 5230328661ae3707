import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers, startingOf, type ArmedTrigger } from "../../catalog/triggers.ts";
import { getWorkflow } from "../../catalog/workflows.ts";
import { getObjects } from "../../crm/load-objects.ts";
import type { Objects } from "../../crm/objects.ts";
import { findRecord } from "../../crm/read.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { Json, JsonObject } from "../../json.ts";
import { inTransaction, type Sql, type SqlPool } from "../../sql.ts";
import { manualSettings, type ManualSettings } from "../../triggers/manual.ts";
import { readInputs, recordsIn } from "../../triggers/manual/inputs.ts";
import { describeRun } from "../describe-run.ts";
import { channels, ring, ringDispatcher } from "../doorbell.ts";
import { enqueueRuns } from "../enqueue.ts";
import { contentHash, invalidLaunch, type LaunchRequest } from "./request.ts";
import { countSelected, readSelection, type Selected } from "./selection.ts";

/** A launch to be. */
export interface NewLaunch {
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly request: LaunchRequest;
  /** Who launches: `{ kind, … }`. */
  readonly launchedBy: JsonObject;
}

/** A launch that is committed. */
export interface AcceptedLaunch {
  readonly id: string;
  readonly launchId: string;
  readonly status: LaunchStatus;
  /** Of a launch that makes one run. */
  readonly runId: string | null;
  /** It was accepted before, under the same id. */
  readonly duplicate: boolean;
}

export const launchStatuses = ["starting", "started", "cancelled", "failed", "refused"] as const;
export type LaunchStatus = (typeof launchStatuses)[number];

/**
 * Accepts a launch: checks it, and commits it with its run, or with the query by which the workers find
 * its records. Throws ProblemError: 404 no such workflow, 409 it is not active, has no manual trigger, or
 * the id stands for another launch, 422 with the place of each fault.
 */
export async function acceptLaunch(
  pool: SqlPool,
  { kinds }: { kinds: StepKinds },
  launch: NewLaunch,
): Promise<AcceptedLaunch> {
  const { workflowId, workspaceId, request } = launch;
  const { launchId } = request;
  // What was accepted stays so, whatever has become of the workflow since.
  const known = launchId === undefined ? undefined : await findAccepted(pool, { workspaceId, workflowId, launchId });
  if (known !== undefined) return theSame(known, request);
  const armed = await findTrigger(pool, launch);
  const { workspace } = armed;
  const objects = await getObjects(pool, workspace);
  const trigger = manualSettings.parse(armed.trigger);
  const selected = await readSelection(pool, { workspace, objects }, { trigger, request });
  const inputs = readInputs(trigger.inputs, request.inputs);
  const issues = [...selected.issues, ...inputs.issues, ...(await strayRecords(pool, { objects, trigger, ...inputs }))];
  if (issues.length > 0) throw invalidLaunch(issues);
  const count = await countSelected(pool, { objects }, selected);
  const prepared = { id: createId(), launch, armed, trigger, selected, inputs: inputs.values, count };
  const accepted = await inTransaction(pool, async (sql) => {
    const made = await insertLaunch(sql, prepared);
    if (made !== undefined && selected.selection === null) await enqueueSingle(sql, { kinds }, prepared, made);
    return made;
  });
  if (accepted === undefined) {
    const other = await findAccepted(pool, { workspaceId, workflowId, launchId: launchId ?? prepared.id });
    if (other === undefined) throw new Error(`The launch ${launchId} went while it was accepted.`);
    return theSame(other, request);
  }
  if (accepted.status === "starting") ring(pool, channels.launches);
  else ringDispatcher(pool);
  return accepted;
}

/** The manual trigger that is meant. */
async function findTrigger(
  sql: Sql,
  { workspaceId, workflowId, request: { triggerId } }: NewLaunch,
): Promise<ArmedTrigger> {
  const armed = await findArmedTriggers(sql, {
    kind: "manual",
    workspaceIds: [workspaceId],
    workflowId,
    inactiveToo: true,
  });
  const [first, second] = armed;
  if (first === undefined) {
    const { status } = await getWorkflow(sql, { workspaceId, workflowId });
    if (status !== "active") throw inactive();
    throw new ProblemError(409, "no-manual-trigger", "The workflow has no manual trigger. Add one and activate it.");
  }
  if (!first.active) throw inactive();
  if (triggerId === undefined && second === undefined) return first;
  const ids = armed.map((one) => one.triggerId);
  if (triggerId === undefined)
    throw invalidLaunch([{ path: "triggerId", message: `is required: the workflow has ${ids.join(", ")}` }]);
  const named = armed.find((one) => one.triggerId === triggerId);
  if (named !== undefined) return named;
  const meant = didYouMean(triggerId, ids) || `; it has ${ids.join(", ")}`;
  throw invalidLaunch([{ path: "triggerId", message: `there is no manual trigger "${triggerId}"${meant}` }]);
}

function inactive(): ProblemError {
  return new ProblemError(409, "workflow-inactive", "The workflow is not active: activate it, then launch it.");
}

/** Inputs that name records which are not there. */
async function strayRecords(
  sql: Sql,
  { objects, trigger, values }: { objects: Objects; trigger: ManualSettings; values: JsonObject },
): Promise<Issue[]> {
  const issues: Issue[] = [];
  for (const { name, object: of, id } of recordsIn(trigger.inputs, values)) {
    const object = objects.find(of);
    const found = object === undefined ? undefined : await findRecord(sql, object, id);
    if (found === undefined) issues.push({ path: `inputs.${name}`, message: `there is no ${of} ${id}` });
  }
  return issues;
}

interface Prepared {
  readonly id: string;
  readonly launch: NewLaunch;
  readonly armed: ArmedTrigger;
  readonly trigger: ManualSettings;
  readonly selected: Selected;
  readonly inputs: JsonObject;
  readonly count: { readonly count: number | null; readonly isEstimate: boolean };
}

/** Undefined: there is a launch of this id. */
async function insertLaunch(sql: Sql, prepared: Prepared): Promise<AcceptedLaunch | undefined> {
  const { id, launch, armed, trigger, selected, inputs, count } = prepared;
  const { selection, ids, object } = selected;
  const isWhole = selection === null;
  const { rows } = await sql.query<AcceptedLaunch>({
    name: "insert_launch",
    text: `insert into tandem.launches (workflow_id, launch_id, id, workspace_id, status, launched_by, content_hash, trigger_id, version_id,
        settings, inputs, availability, object, selection, ids, selected, is_estimate, started_count, run_id, ended_at)
      values ($1::uuid, $2::text, $3::uuid, $4::uuid, $5::text, $6::jsonb, $7::bytea, $8::text, $9::uuid, $10::jsonb, $11::jsonb, $12::text,
        $13::text, $14::jsonb, $15::uuid[], $16::bigint, $17::boolean, $18::bigint, $19::uuid, case when $5 = 'started' then now() end)
      on conflict (workflow_id, launch_id) do nothing
      returning id, launch_id as "launchId", status, run_id as "runId", false as duplicate`,
    values: [
      launch.workflowId,
      launch.request.launchId ?? id,
      id,
      launch.workspaceId,
      isWhole ? "started" : "starting",
      JSON.stringify({ ...launch.launchedBy, launch: id }),
      contentHash(launch.request),
      armed.triggerId,
      armed.versionId,
      JSON.stringify(armed.settings),
      JSON.stringify(inputs),
      trigger.availability,
      object?.name ?? null,
      selection === null ? null : JSON.stringify(selection),
      ids,
      count.count,
      count.isEstimate,
      isWhole ? 1 : 0,
      trigger.availability === "single" ? null : createId(),
    ],
  });
  return rows[0];
}

/** The run of a launch that concerns no record. */
async function enqueueSingle(
  sql: Sql,
  { kinds }: { kinds: StepKinds },
  { armed, launch, inputs, id }: Prepared,
  { runId }: AcceptedLaunch,
): Promise<void> {
  const trigger = { id: armed.triggerId, kind: "manual", inputs };
  const run = describeRun(await startingOf(sql, { kinds }, armed), {
    trigger,
    priority: "manual",
    launchedBy: { ...launch.launchedBy, launch: id },
    ...(runId === null ? {} : { id: runId }),
  });
  await enqueueRuns(sql, [run]);
}

type Known = Omit<AcceptedLaunch, "duplicate"> & { readonly hash: Buffer | null };

async function findAccepted(
  sql: Sql,
  { workspaceId, workflowId, launchId }: { workspaceId: string; workflowId: string; launchId: string },
): Promise<Known | undefined> {
  const { rows } = await sql.query<Known>({
    name: "find_accepted_launch",
    text: `select id, launch_id as "launchId", status, run_id as "runId", content_hash as hash from tandem.launches
      where workflow_id = $1::uuid and launch_id = $2::text and workspace_id = $3::uuid`,
    values: [workflowId, launchId, workspaceId],
  });
  return rows[0];
}

function theSame({ hash, ...known }: Known, request: LaunchRequest): AcceptedLaunch {
  if (hash !== null && hash.equals(contentHash(request))) return { ...known, duplicate: true };
  throw new ProblemError(
    409,
    "launch-id-taken",
    `The launch id "${known.launchId}" stands for another launch. Choose another id, or send the same content.`,
  );
}

/** Keeps a launch that was refused, under an id of its own: the one it asked for stays free. */
export async function recordRefusal(
  sql: Sql,
  {
    workflowId,
    refusalId,
    launchedBy,
    error,
  }: { workflowId: string; refusalId: string; launchedBy: JsonObject; error: JsonObject },
): Promise<void> {
  await sql.query({
    name: "record_launch_refusal",
    text: `insert into tandem.launches (workflow_id, launch_id, id, workspace_id, status, launched_by, error, ended_at)
      select w.id, $2::text, $3::uuid, w.workspace_id, 'refused', $4::jsonb, $5::jsonb, now() from tandem.workflows w where w.id = $1::uuid
      on conflict (workflow_id, launch_id) do nothing`,
    values: [workflowId, refusalId, createId(), JSON.stringify(launchedBy), JSON.stringify(error satisfies Json)],
  });
}
