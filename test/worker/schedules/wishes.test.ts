import { ScheduleNotFoundError } from "@temporalio/client";
import { Temporal } from "temporal-polyfill";
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { until } from "../../support/until.ts";
import { minutesAgo, scheduled, startScheduling } from "./support.ts";

const { pool, engine, call, workspaceId, install, inTemporal, compare, allRan } = await startScheduling();

describe("a backfill", () => {
  const filled = (id: Json | undefined) =>
    until("the backfill", async () => {
      const { body } = await call("GET", `/api/backfills/${String(id)}`);
      return body["status"] === "waiting" ? undefined : body;
    });

  test("starts one run for each moment that has none, whatever whenBusy says", async () => {
    const { id } = await install(scheduled("filled", { every: { days: 1, at: "07:30" }, timeZone: "Europe/Berlin" }));
    const path = `/api/workflows/${id}/schedules/clock/backfill`;
    const today = Temporal.Now.zonedDateTimeISO("Europe/Berlin").toPlainDate();
    const days = [9, 8, 7, 6, 5, 4, 3, 2].map((ago) => today.subtract({ days: ago }));
    const at =
      (time: string) =>
      (day: Temporal.PlainDate): string =>
        new Date(day.toZonedDateTime({ timeZone: "Europe/Berlin", plainTime: time }).epochMilliseconds).toISOString();
    const week = { from: at("00:00")(days[0]!), to: at("12:00")(days[6]!) };
    const asked = await call("POST", path, { body: week });
    expect([asked.status, asked.body["status"]]).toEqual([202, "waiting"]);
    expect(await filled(asked.body["id"])).toMatchObject({
      status: "done",
      moments: 7,
      runs: 7,
      error: null,
    });
    const runs = await allRan(id, 7);
    expect(runs.map((run) => run.at)).toEqual(days.slice(0, 7).map(at("07:30")));
    expect(runs.slice(1).map(({ last }) => last)).toEqual(runs.slice(0, -1).map((run) => run.at));
    const again = await call("POST", path, { body: { ...week, to: at("12:00")(days[7]!) } });
    expect(await filled(again.body["id"])).toMatchObject({ moments: 8, runs: 1 });
  });

  test("of the future, of too long ago or of too much is refused with what to do", async () => {
    const { id } = await install(scheduled("too-much", { every: "1m" }));
    await inTemporal("too-much");
    const path = `/api/workflows/${id}/schedules/clock/backfill`;
    const wrong = await call("POST", path, { body: { from: "2020-01-01T00:00:00Z", to: "2126-01-01T00:00:00Z" } });
    expect(wrong.body["issues"]).toEqual([
      { path: "to", message: "lies ahead; a backfill is of a time that is past" },
      { path: "from", message: "lies more than 399 days back: what fired then is not known any more" },
    ]);
    const much = await call("POST", path, {
      body: { from: minutesAgo(2_000).toISOString(), to: minutesAgo(2).toISOString() },
    });
    expect(await filled(much.body["id"])).toMatchObject({
      status: "failed",
      error: { code: "too-many" },
    });
    const past = { from: minutesAgo(9).toISOString(), to: minutesAgo(8).toISOString() };
    const missing = await call("POST", `/api/workflows/${id}/schedules/clok/backfill`, { body: past });
    expect(missing.status).toBe(404);
    await call("POST", `/api/workflows/${id}/deactivate`);
  });
});

describe("a preview", () => {
  const preview = (body: JsonObject) => call("POST", "/api/schedules/preview", { body });

  test("lists the next ten moments as Temporal does, and leaves nothing behind", async () => {
    const { status, body } = await preview({ cron: "30 7 * * mon-fri", timeZone: "Europe/Berlin" });
    expect(status).toBe(200);
    const moments = (body["moments"] as string[]).map((moment) => new Date(moment));
    expect(moments).toHaveLength(10);
    const local = new Intl.DateTimeFormat("en", {
      timeZone: "Europe/Berlin",
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
      hour12: false,
    });
    for (const moment of moments) expect(local.format(moment)).toMatch(/^(Mon|Tue|Wed|Thu|Fri),? 07:30$/);
    const { rows } = await pool.query<{ id: string }>(
      "select id from tandem.schedule_wishes where kind = 'preview' order by id desc limit 1",
    );
    const handle = engine.link.client.schedule.getHandle(`${engine.installation}-preview-${rows[0]!.id}`);
    await until("it is gone", () =>
      handle.describe().then(
        () => false,
        () => true,
      ),
    );
  });

  test("of every second week lists those that are meant", async () => {
    const { body } = await preview({ every: { weeks: 2, on: ["tuesday"], at: "06:00" }, timeZone: "UTC" });
    const days = (body["moments"] as string[]).map((moment) => Date.parse(moment) / 86_400_000);
    expect(days).toHaveLength(10);
    expect(days.slice(1).map((day, i) => day - days[i]!)).toEqual(Array.from({ length: 9 }, () => 14));
  });

  test("of what is wrong says what and where", async () => {
    const { status, body } = await preview({ cron: "0 0 30 2 *" });
    expect([status, body["issues"]]).toEqual([
      422,
      [{ path: "cron", message: "never fires: no month that it names (2) has a day 30" }],
    ]);
  });

  test("that a worker was killed over is removed by the next comparison", async () => {
    const { rows } = await pool.query<{ id: string }>(
      `insert into tandem.schedule_wishes (id, workspace_id, kind, request, created_at)
       values (gen_random_uuid(), $1, 'preview', '{"settings":{"every":"1h"},"timeZone":"UTC"}', now() - interval '2 minutes') returning id`,
      [workspaceId],
    );
    const scheduleId = `${engine.installation}-preview-${rows[0]!.id}`;
    const handle = await engine.link.client.schedule.create({
      scheduleId,
      memo: { tandemInstallation: engine.installation },
      spec: { intervals: [{ every: "1 hour" }] },
      action: { type: "startWorkflow", workflowType: "fire", taskQueue: "nobody", args: [] },
      state: { paused: true },
    });
    const gone = await until("it is gone", async () => {
      await compare();
      return handle.describe().catch((error: unknown) => error instanceof ScheduleNotFoundError);
    });
    expect(gone).toBe(true);
  });
});
