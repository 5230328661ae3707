import type { ScheduleDescription, ScheduleHandle } from "@temporalio/client";
import { afterAll } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { createLog } from "../../../src/log.ts";
import { channels, listen } from "../../../src/runs/doorbell.ts";
import { createScheduleLoops } from "../../../src/worker/schedules.ts";
import { hookDefinition, startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds, startTestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";

/** A worker (with `paused` only after `engine.resume`) and a gateway over one workspace, and what tests of schedules ask of both and of Temporal. */
export async function startScheduling(options: { paused?: boolean } = {}) {
  const { pool, url } = await createTestDatabase();
  const engine = await startTestEngine(pool, options);
  const { call, workspaceId } = await startGateway(pool, { workspaceId: engine.workspace.id });
  const log = createLog("test", "fatal");
  const ringing = (): void => engine.ringTriggers();
  const bells = listen(url, { [channels.triggers]: ringing, [channels.schedules]: ringing }, log);
  afterAll(() => bells.stop());

  const install = async (definition: JsonObject): Promise<{ id: string; body: JsonObject }> => {
    const made = await call("POST", "/api/workflows", { body: definition });
    const id = String(made.body["id"]);
    const active = await call("POST", `/api/workflows/${id}/activate`);
    if (active.status !== 200) throw new Error(`Not activated: ${active.text}`);
    return { id, body: active.body };
  };
  const idOf = (key: string): string => `${engine.installation}-${workspaceId.slice(-10)}-${key}-clock`;
  const handleOf = (key: string): ScheduleHandle => engine.link.client.schedule.getHandle(idOf(key));
  const described = (key: string): Promise<ScheduleDescription | undefined> =>
    handleOf(key)
      .describe()
      .catch(() => undefined);
  const inTemporal = (key: string): Promise<ScheduleDescription> => until(`${key} in Temporal`, () => described(key));
  const state = async (id: string): Promise<JsonObject> => {
    const { body } = await call("GET", `/api/workflows/${id}/schedules`);
    return (body["data"] as JsonObject[])[0]!;
  };
  /** What every worker does at its start and each minute, as one more worker. */
  const compare = async (): Promise<void> => {
    const loops = createScheduleLoops({
      pool,
      kinds: recordKinds,
      link: engine.link,
      installation: engine.installation,
      log,
      enqueued: () => engine.ring(),
    });
    loops.start();
    await loops.stop();
  };
  const ran = async (id: string): Promise<{ at: string; last: string | null; status: string; launchedBy: Json }[]> => {
    const { rows } = await pool.query<{ at: Date; last: Date | null; status: string; launchedBy: Json }>(
      `select scheduled_at as at, last_success_at as last, status, launched_by as "launchedBy" from tandem.runs
       where workflow_id = $1 order by scheduled_at`,
      [id],
    );
    return rows.map((row) => ({ ...row, at: row.at.toISOString(), last: row.last?.toISOString() ?? null }));
  };
  const allRan = (id: string, count: number) =>
    until(`${count} runs to complete`, async () => {
      const runs = await ran(id);
      return runs.filter(({ status }) => status === "completed").length >= count ? runs : undefined;
    });

  return {
    pool,
    engine,
    call,
    workspaceId,
    install,
    idOf,
    handleOf,
    described,
    inTemporal,
    state,
    compare,
    ran,
    allRan,
  };
}

/** A workflow with one schedule, whose run only says when it was meant and when the last one was. */
export const scheduled = (key: string, settings: JsonObject, rest: JsonObject = {}): JsonObject =>
  hookDefinition(
    key,
    {},
    {
      triggers: [{ id: "clock", kind: "schedule", ...settings }],
      steps: [
        { id: "look", kind: "set", input: { at: "{{ run.scheduledAt }}", last: "{{ run.lastSuccess.scheduledAt }}" } },
      ],
      output: { at: "{{ look.at }}", last: "{{ look.last }}" },
      ...rest,
    },
  );

/** The beginning of a minute, so many before this one. */
export const minutesAgo = (minutes: number): Date =>
  new Date(Math.floor(Date.now() / 60_000) * 60_000 - minutes * 60_000);

/** Runs wait for one another, and none is skipped. */
export const inTurn = { concurrency: { key: "turn", limit: 1, whenBusy: "queue" } };
