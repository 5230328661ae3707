import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { fire, type Fired } from "../../../src/runs/schedules/fire.ts";
import { forgetFirings } from "../../../src/runs/schedules/firings.ts";
import { startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { scheduled } from "../../worker/schedules/support.ts";

const { pool } = await createTestDatabase();
const { call } = await startGateway(pool);

const install = async (key: string, settings: JsonObject, rest: JsonObject = {}): Promise<string> => {
  const { body } = await call("POST", "/api/workflows", { body: scheduled(key, settings, rest) });
  const id = String(body["id"]);
  expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
  return id;
};
const minuteMs = 60_000;
/** Temporal rings for a moment of 12 o'clock's hour: at once, and a worker hears it at once, unless it is said otherwise. */
const ring = (
  workflowId: string,
  time: string,
  { rangAfter = 0, heardAfter }: { rangAfter?: number; heardAfter?: number } = {},
): Promise<Fired> => {
  const at = new Date(`2026-06-01T${time}Z`);
  const later = (minutes: number): Date => new Date(at.getTime() + minutes * minuteMs);
  return fire(
    { pool, kinds: recordKinds },
    { workflowId, triggerId: "clock", at, rangAt: later(rangAfter) },
    later(heardAfter ?? rangAfter),
  );
};
const runsOf = async (workflowId: string): Promise<JsonObject[]> => {
  const { rows } = await pool.query<{ run: JsonObject }>(
    `select jsonb_build_object('at', scheduled_at, 'status', status, 'key', concurrency_key is not null, 'limit', concurrency_limit, 'whenBusy', when_busy) as run
     from tandem.runs where workflow_id = $1 order by scheduled_at`,
    [workflowId],
  );
  return rows.map(({ run }) => run);
};

describe("what Temporal rings for", () => {
  test("is one run, however often and however many at once hear it", async () => {
    const id = await install("once", { every: "15m" });
    const fired = await Promise.all(Array.from({ length: 8 }, () => ring(id, "12:15:00")));
    expect(fired.filter((outcome) => "runId" in outcome)).toHaveLength(1);
    expect(await ring(id, "12:15:00")).toEqual({ nothing: "fired-before" });
    expect(await runsOf(id)).toMatchObject([{ status: "queued", key: true, limit: 1, whenBusy: "skip" }]);
  });

  test("keeps to the workflow's own concurrency where it has one", async () => {
    const id = await install(
      "own",
      { every: "15m" },
      { concurrency: { key: "x", limit: 3, whenBusy: "queue-latest" } },
    );
    await ring(id, "12:15:00");
    expect(await runsOf(id)).toMatchObject([{ limit: 3, whenBusy: "queue-latest" }]);
  });

  test("starts nothing where the workflow is not active any more, or means other times by now", async () => {
    const id = await install("changed", { every: "15m" });
    expect(await ring(id, "12:10:00")).toEqual({ nothing: "no-such-time" });
    await call("PUT", `/api/workflows/${id}/draft`, { body: scheduled("changed", { every: "10m" }) });
    await call("POST", `/api/workflows/${id}/activate`);
    expect(await ring(id, "12:15:00")).toEqual({ nothing: "no-such-time" });
    expect(await ring(id, "12:10:00")).toHaveProperty("runId");
    await call("POST", `/api/workflows/${id}/deactivate`);
    expect(await ring(id, "12:20:00")).toEqual({ nothing: "not-active" });
    expect(await runsOf(id)).toHaveLength(1);
  });

  test("starts nothing while a pause is on its way to Temporal", async () => {
    const id = await install("pausing", { every: "15m" });
    await call("POST", `/api/workflows/${id}/schedules/clock/pause`, { body: {} });
    expect(await ring(id, "12:15:00")).toEqual({ nothing: "paused" });
    await call("POST", `/api/workflows/${id}/schedules/clock/resume`);
    expect(await ring(id, "12:15:00")).toHaveProperty("runId");
  });

  test("is too late once the catch-up time is over, as after an hour without a worker", async () => {
    const id = await install("late", { every: "15m" });
    expect(await ring(id, "12:00:00", { heardAfter: 60 })).toEqual({ nothing: "too-late" });
    expect(await ring(id, "12:15:00", { rangAfter: 1, heardAfter: 11 })).toEqual({ nothing: "too-late" });
    expect(await ring(id, "12:30:00", { rangAfter: 9, heardAfter: 10 })).toHaveProperty("runId");
    expect(await runsOf(id)).toHaveLength(1);
  });

  test("is never too late where somebody asks for the past in the Web UI, and none of it is skipped", async () => {
    const id = await install("asked", { every: "15m" });
    expect(await ring(id, "12:00:00", { rangAfter: 600, heardAfter: 601 })).toHaveProperty("runId");
    expect(await runsOf(id)).toMatchObject([{ limit: 1, whenBusy: "queue" }]);
  });

  test("in the second copy of an hour starts what that hour means, and not what another does", async () => {
    const berlin = { timeZone: "Europe/Berlin", every: { days: 1, at: "01:30" } };
    const id = await install("berlin", berlin);
    const fireAt = (moment: string) => {
      const at = new Date(moment);
      return fire({ pool, kinds: recordKinds }, { workflowId: id, triggerId: "clock", at, rangAt: at }, at);
    };
    expect(await fireAt("2026-10-24T23:30:00Z")).toHaveProperty("runId");
    // Temporal rings for it a second time, an hour later, when it is half past two.
    expect(await fireAt("2026-10-25T00:30:00Z")).toEqual({ nothing: "no-such-time" });
  });
});

test("moments are forgotten after 400 days, but never the last whose run completed", async () => {
  const id = await install("forgotten", { every: "15m" });
  const keep = (daysAgo: number, completed: boolean) =>
    pool.query(
      `insert into tandem.firings (workflow_id, trigger_id, at, workspace_id, run_id, completed)
       select id, 'clock', now() - $2 * interval '1 day', workspace_id, gen_random_uuid(), $3 from tandem.workflows where id = $1`,
      [id, daysAgo, completed],
    );
  await keep(800, true);
  await keep(700, true);
  await keep(600, false);
  await keep(399, false);
  await forgetFirings(pool);
  const { rows } = await pool.query<{ days: number }>(
    "select extract(days from now() - at)::integer as days from tandem.firings where workflow_id = $1 order by at",
    [id],
  );
  expect(rows.map(({ days }) => days)).toEqual([700, 399]);
});
