import { ScheduleNotFoundError } from "@temporalio/client";
import { afterAll, describe, expect, test } from "vitest";
import type { Json } from "../../../src/json.ts";
import { hookDefinition } from "../../api/gateway.ts";
import { until } from "../../support/until.ts";
import { scheduled, startScheduling } from "./support.ts";

const { pool, engine, call, install, idOf, handleOf, described, inTemporal, state, compare } = await startScheduling();

test("activation makes one Schedule at once, which shows what it is for", async () => {
  const begun = Date.now();
  const { id } = await install(scheduled("mornings", { every: { days: 1, at: "07:30" }, timeZone: "Europe/Berlin" }));
  const { spec, policies, state: at, memo, action } = await inTemporal("mornings");
  // Sooner than by polling, on a machine that has much else to do.
  expect(Date.now() - begun).toBeLessThan(4_000);
  expect(spec.timezone).toBe("Europe/Berlin");
  expect(policies).toMatchObject({ overlap: "ALLOW_ALL", catchupWindow: 600_000 });
  expect(at).toEqual({ paused: false, note: "mornings: every day at 07:30 (Europe/Berlin)" });
  expect(memo).toMatchObject({ workflow: "mornings", trigger: "clock" });
  expect(action).toMatchObject({ workflowType: "fire", workflowId: idOf("mornings") });
  const shown = await until("its moments", async () => {
    const found = await state(id);
    return (found["nextAt"] as Json[]).length === 10 && found;
  });
  expect(shown).toMatchObject({
    when: "every day at 07:30 (Europe/Berlin)",
    active: true,
    paused: false,
    temporalId: idOf("mornings"),
  });
});

describe("a schedule is kept in Temporal as it is to be:", () => {
  test("a changed setting, and the workspace's zone, change it in place, and leave others alone", async () => {
    const settings = { when: { type: "cron", default: "0 9 * * mon-fri" } };
    const { id } = await install(scheduled("by-settings", { cron: "{{ settings.when }}" }, { settings }));
    await install(scheduled("beside", { cron: "0 9 * * *", timeZone: "UTC" }));
    const made = await inTemporal("by-settings");
    await inTemporal("beside");
    expect(made.spec.calendars?.[0]).toMatchObject({
      hour: [{ start: 9, end: 9 }],
      dayOfWeek: [{ start: "MONDAY", end: "FRIDAY" }],
    });
    await call("PUT", `/api/workflows/${id}/settings`, { body: { when: "30 17 * * *" } });
    await until(
      "the new hour",
      async () => (await described("by-settings"))?.spec.calendars?.[0]?.hour?.[0]?.start === 17,
    );
    await call("PUT", "/api/settings", { body: { timeZone: "Asia/Tokyo" } });
    await until("the new zone", async () => (await described("by-settings"))?.spec.timezone === "Asia/Tokyo");
    expect((await described("by-settings"))!.info.createdAt).toEqual(made.info.createdAt);
    const refused = await call("PUT", `/api/workflows/${id}/settings`, { body: { when: "0 25 * * *" } });
    expect(refused.body["issues"]).toEqual([{ path: "when", message: "hour (field 2): 25 is not an hour: 0 to 23" }]);
    await compare();
    expect((await described("beside"))!.info.lastUpdatedAt).toBeUndefined();
  });

  test("deactivating removes it, a new version without it too, and activating brings it back", async () => {
    const { id } = await install(scheduled("on-and-off", { every: "2h" }));
    await inTemporal("on-and-off");
    await call("POST", `/api/workflows/${id}/deactivate`);
    await until("it is gone", async () => (await described("on-and-off")) === undefined);
    expect(await state(id)).toMatchObject({ active: false, nextAt: [] });
    await call("POST", `/api/workflows/${id}/activate`);
    await inTemporal("on-and-off");
    await call("PUT", `/api/workflows/${id}/draft`, { body: hookDefinition("on-and-off") });
    await call("POST", `/api/workflows/${id}/activate`);
    await until("it is gone again", async () => (await described("on-and-off")) === undefined);
  });

  test("what somebody deleted or edited there is put right, what nothing needs is removed, and others' stay", async () => {
    await install(scheduled("deleted", { every: "15m" }));
    await install(scheduled("edited", { every: "15m" }));
    await inTemporal("deleted");
    const before = await inTemporal("edited");
    await until("both are known", async () => {
      const { rows } = await pool.query("select 1 from tandem.schedules where temporal_id = any($1)", [
        [idOf("deleted"), idOf("edited")],
      ]);
      return rows.length === 2;
    });
    await handleOf("deleted").delete();
    await handleOf("edited").update(({ action, policies, state: at }) => ({
      action: { ...action, workflowId: "x" },
      policies,
      state: at,
      spec: { intervals: [{ every: "1 minute" }] },
    }));
    const other = (scheduleId: string, memo: Record<string, string>) =>
      engine.link.client.schedule.create({
        scheduleId,
        memo,
        spec: { intervals: [{ every: "1 hour" }] },
        action: { type: "startWorkflow", workflowType: "fire", taskQueue: "nobody", args: [] },
        state: { paused: true },
      });
    await other(`${engine.installation}-stray`, { tandemInstallation: engine.installation });
    const foreign = await other(`${engine.installation}-foreign`, {});
    afterAll(() => foreign.delete());
    await until("the strays are listed", async () => {
      const ids: string[] = [];
      for await (const { scheduleId } of engine.link.client.schedule.list()) ids.push(scheduleId);
      return ids.includes(`${engine.installation}-stray`) && ids.includes(foreign.scheduleId);
    });
    await compare();
    expect((await described("deleted"))?.spec.intervals).toEqual(before.spec.intervals);
    const { spec, action } = (await described("edited"))!;
    expect(spec).toEqual(before.spec);
    expect(action).toEqual(before.action);
    const handle = engine.link.client.schedule.getHandle(`${engine.installation}-stray`);
    await expect(handle.describe()).rejects.toBeInstanceOf(ScheduleNotFoundError);
    expect((await foreign.describe()).state.paused).toBe(true);
  });

  test("one whose settings cannot be read says so, stays as it is, and keeps no other from its own", async () => {
    const { id } = await install(scheduled("unreadable", { every: "1h" }));
    await until("it is known", async () => (await state(id))["temporalId"] !== null);
    await pool.query(
      `update tandem.triggers set settings = '{"cron": "broken"}', revision = nextval('tandem.trigger_revision') where workflow_id = $1`,
      [id],
    );
    await compare();
    await install(scheduled("readable", { every: "1h" }));
    await inTemporal("readable");
    const { rows } = await pool.query("select trouble from tandem.schedules where workflow_id = $1", [id]);
    expect(rows).toEqual([{ trouble: expect.stringContaining("five fields") }]);
    expect((await described("unreadable"))?.spec.intervals).toEqual([{ every: 3_600_000, offset: 0 }]);
    await call("POST", `/api/workflows/${id}/deactivate`);
  });

  test("several workers at once make one, and leave it as one would", async () => {
    await install(scheduled("crowded", { every: "1h" }));
    await Promise.all([compare(), compare(), compare()]);
    const { info, spec } = (await described("crowded"))!;
    expect(spec.intervals).toEqual([{ every: 3_600_000, offset: 0 }]);
    await Promise.all([compare(), compare()]);
    expect((await described("crowded"))!.info.lastUpdatedAt).toEqual(info.lastUpdatedAt);
  });
});

describe("a pause", () => {
  test("by the API has its note in Temporal, outlives a deactivation, and ends by the API", async () => {
    const { id } = await install(scheduled("paused-here", { every: "1h" }));
    await inTemporal("paused-here");
    const paused = await call("POST", `/api/workflows/${id}/schedules/clock/pause`, {
      body: { note: "Over the holidays" },
    });
    expect(paused.body).toMatchObject({ paused: true, note: "Over the holidays", nextAt: [] });
    await until("it is paused there", async () => (await described("paused-here"))?.state.note === "Over the holidays");
    expect((await described("paused-here"))!.state.paused).toBe(true);
    await call("POST", `/api/workflows/${id}/deactivate`);
    await until("it is gone", async () => (await described("paused-here")) === undefined);
    await call("POST", `/api/workflows/${id}/activate`);
    expect((await inTemporal("paused-here")).state).toEqual({ paused: true, note: "Over the holidays" });
    await call("POST", `/api/workflows/${id}/schedules/clock/resume`);
    await until("it goes on there", async () => (await described("paused-here"))?.state.paused === false);
    expect((await described("paused-here"))!.state.note).toBe("paused-here: every 1h (Asia/Tokyo)");
  });

  test("in Temporal's Web UI is respected and shown, and so is its end", async () => {
    const { id } = await install(scheduled("paused-there", { every: "1h" }));
    await inTemporal("paused-there");
    await until("it is known", async () => (await state(id))["temporalId"] !== null);
    await handleOf("paused-there").pause("By hand");
    await compare();
    expect(await state(id)).toMatchObject({ paused: true, note: "By hand" });
    expect((await described("paused-there"))!.state).toEqual({ paused: true, note: "By hand" });
    await handleOf("paused-there").unpause("On again");
    await compare();
    expect(await state(id)).toMatchObject({ paused: false, note: null });
    expect((await described("paused-there"))!.state.paused).toBe(false);
  });
});
