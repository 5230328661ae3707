import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { getWorkflow } from "../../catalog/workflows.ts";
import { settingTypes } from "../../definition/schema.ts";
import { ProblemError } from "../../errors.ts";
import { channels, ring, ringDispatcher } from "../../runs/doorbell.ts";
import { runNow, timingOfArmed } from "../../runs/schedules/fire.ts";
import { listSchedules, type ScheduleState } from "../../runs/schedules/read.ts";
import { askForPause } from "../../runs/schedules/store.ts";
import type { SqlPool } from "../../sql.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { describeSchedule } from "../../triggers/schedule/words.ts";
import type { Workspace } from "../../workspace.ts";
import { describeKey } from "../auth.ts";
import { defineEndpoint, type Answer, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment } from "../schemas.ts";

const note = z.string().max(500).meta({ description: "Why; Temporal's Web UI shows it, too" });

const schedule = z
  .object({
    triggerId: z.string(),
    when: z.string().meta({ description: "In words" }),
    timeZone: settingTypes.timeZone,
    active: z.boolean().meta({ description: "Whether the workflow is: only then it fires" }),
    paused: z.boolean(),
    note: z.string().nullable(),
    nextAt: z.array(moment).meta({ description: "The next ten moments, as Temporal lists them; none while paused" }),
    lastFiring: z.object({ at: moment, runId: id }).nullable(),
    lastSuccessAt: moment.nullable().meta({ description: "The last moment whose run completed" }),
    lastMissedAt: moment.nullable(),
    lastWeek: z.object({ fired: z.int(), skipped: z.int(), missed: z.int() }).meta({
      description: "Moments of the last seven days: fired, of those skipped as busy, and missed in an outage",
    }),
    temporalId: z.string().nullable().meta({ description: "The Schedule in Temporal; null: it is not there" }),
    trouble: z.string().nullable().meta({ description: "What keeps it from being there" }),
  })
  .meta({ id: "Schedule" });

/** Which schedule: the path's workflow, and its trigger. */
export const scheduleParams = z.strictObject({ id, trigger: z.string() });
const shared = { tag: "Schedules" } as const;
const missing = "The workflow has no such schedule";

/** Schedules of workflows: to see, pause, resume and run. */
export function scheduleEndpoints({ pool, kinds }: { pool: SqlPool; kinds: StepKinds }): Endpoint[] {
  const setPaused = async (
    workspace: Workspace,
    key: z.output<typeof scheduleParams>,
    wish: { paused: boolean; note: string | null },
  ): Promise<Answer> => {
    await getSchedule(pool, workspace, key);
    await askForPause(pool, { workspaceId: workspace.id, workflowId: key.id, triggerId: key.trigger }, wish);
    ring(pool, channels.schedules);
    return { body: describe(await getSchedule(pool, workspace, key)) };
  };

  return [
    defineEndpoint({
      ...shared,
      method: "get",
      path: "/api/workflows/{id}/schedules",
      summary: "A workflow's schedules: when they fire next, and what they did",
      params: idParams,
      answers: { 200: z.object({ data: z.array(schedule), nextCursor: z.null() }) },
      async handle({ workspace, params: { id: workflowId } }) {
        const of = { workspaceId: workspace.id, workflowId };
        await getWorkflow(pool, of);
        const found = await listSchedules(pool, of);
        return { body: { data: found.map(describe), nextCursor: null } };
      },
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/workflows/{id}/schedules/{trigger}/pause",
      summary: "Pause a schedule",
      description:
        "Nothing is fired until it is resumed, and what is not fired is not missed. It stays paused when the workflow is deactivated and activated.",
      params: scheduleParams,
      body: z.strictObject({ note: note.optional() }),
      answers: { 200: schedule },
      refusals: { 404: missing },
      handle: ({ workspace, params: key, body }) =>
        setPaused(workspace, key, { paused: true, note: body.note ?? null }),
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/workflows/{id}/schedules/{trigger}/resume",
      summary: "Let a paused schedule go on",
      params: scheduleParams,
      answers: { 200: schedule },
      refusals: { 404: missing },
      handle: ({ workspace, params: key }) => setPaused(workspace, key, { paused: false, note: null }),
    }),
    defineEndpoint({
      ...shared,
      method: "post",
      path: "/api/workflows/{id}/schedules/{trigger}/run",
      access: { area: "runs", changes: "elsewhere" },
      summary: "Start a run of the schedule now",
      description:
        "Also while it is paused. `run.scheduledAt` is now, and `concurrency` holds for it as for any other.",
      params: scheduleParams,
      answers: { 202: z.object({ runId: id }) },
      refusals: { 404: missing, 409: "The workflow is not active" },
      async handle({ workspace, apiKey, params: key }) {
        await getSchedule(pool, workspace, key);
        const launchedBy = describeKey(apiKey);
        const runId = await runNow({ pool, kinds }, { workflowId: key.id, triggerId: key.trigger }, { launchedBy });
        ringDispatcher(pool);
        return { status: 202, body: { runId } };
      },
    }),
  ];
}

/** Throws ProblemError 404. */
export async function getSchedule(
  pool: SqlPool,
  workspace: Workspace,
  key: z.output<typeof scheduleParams>,
): Promise<ScheduleState> {
  const found = await listSchedules(pool, { workspaceId: workspace.id, workflowId: key.id });
  const state = found.find(({ triggerId }) => triggerId === key.trigger);
  if (state !== undefined) return state;
  throw new ProblemError(
    404,
    "schedule-not-found",
    `The workflow ${key.id} has no schedule "${key.trigger}". It has one when it is activated with such a trigger.`,
  );
}

function describe({ armed, ...state }: ScheduleState): z.input<typeof schedule> {
  const { timeZone } = timingOfArmed(armed);
  return {
    triggerId: armed.triggerId,
    when: describeSchedule(scheduleSettings.parse(armed.trigger), timeZone),
    timeZone,
    active: armed.active,
    paused: state.paused,
    note: state.note,
    nextAt: state.paused || !armed.active ? [] : state.nextAt.map((at) => at.toISOString()),
    lastFiring: state.lastFiring && { ...state.lastFiring, at: utc(state.lastFiring.at) },
    lastSuccessAt: state.lastSuccessAt && utc(state.lastSuccessAt),
    lastMissedAt: state.lastMissedAt && utc(state.lastMissedAt),
    lastWeek: state.lastWeek,
    temporalId: state.temporalId,
    trouble: state.trouble,
  };
}

function utc(moment: string): string {
  return new Date(moment).toISOString();
}
