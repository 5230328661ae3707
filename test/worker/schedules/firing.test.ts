import { describe, expect, test } from "vitest";
import { workflowBundlePath } from "../../support/bundle.ts";
import { until } from "../../support/until.ts";
import { keepHistory, recordHistories, replay } from "../../workflows/recorded.ts";
import { inTurn, minutesAgo, scheduled, startScheduling } from "./support.ts";

const { pool, engine, call, install, idOf, handleOf, inTemporal, state, compare, ran, allRan } =
  await startScheduling();

describe("a firing", () => {
  test("comes by itself on the minute", { timeout: 90_000 }, async () => {
    const { id } = await install(scheduled("by-itself", { every: "1m" }));
    await inTemporal("by-itself");
    const run = await until(
      "its first run",
      async () => (await ran(id)).find(({ status }) => status === "completed"),
      70_000,
    );
    expect(Date.parse(run.at) % 60_000).toBe(0);
    expect(run).toMatchObject({ last: null, status: "completed", launchedBy: null });
    expect((await state(id))["lastFiring"]).toMatchObject({ at: run.at });
    await call("POST", `/api/workflows/${id}/deactivate`);
  });

  test("that Temporal rings for again is no other run, and none knows of a success after it", async () => {
    const { id } = await install(scheduled("rung-twice", { every: "1m" }, inTurn));
    await inTemporal("rung-twice");
    const range = { start: minutesAgo(5), end: minutesAgo(2), overlap: "ALLOW_ALL" as const };
    await handleOf("rung-twice").backfill(range);
    const runs = await allRan(id, 4);
    await handleOf("rung-twice").backfill(range);
    await until("eight rings", async () => {
      const found: unknown[] = [];
      for await (const { workflowId, status } of engine.link.client.workflow.list({ query: `WorkflowType = 'fire'` }))
        if (workflowId.startsWith(idOf("rung-twice")) && status.name === "COMPLETED") found.push(workflowId);
      return found.length >= 8 ? found : undefined;
    });
    const again = (await ran(id)).filter(({ at }) => runs.some((run) => run.at === at));
    expect(again.map(({ at }) => at)).toEqual([5, 4, 3, 2].map((minutes) => minutesAgo(minutes).toISOString()));
    // Temporal rang for all at once: they are in no order, but none begins after itself.
    for (const { at, last } of again.slice(1)) expect(last === null || last < at).toBe(true);
    await call("POST", `/api/workflows/${id}/deactivate`);
  });

  test("while the run before is not over is skipped, kept with the reason, and counted", async () => {
    const { id } = await install(scheduled("busy", { every: "1m" }));
    await inTemporal("busy");
    // Runs of a paused workflow wait, and hold their key.
    await call("POST", `/api/workflows/${id}/pause`);
    await handleOf("busy").backfill({ start: minutesAgo(4), end: minutesAgo(2), overlap: "ALLOW_ALL" });
    await until("three runs are judged", async () => {
      engine.ring();
      const statuses = (await ran(id)).map(({ status }) => status);
      return statuses.filter((status) => status === "skipped").length === 2 && statuses.includes("queued");
    });
    expect((await state(id))["lastWeek"]).toMatchObject({ fired: 3, skipped: 2, missed: 0 });
    await call("POST", `/api/workflows/${id}/resume`);
    await allRan(id, 1);
    await call("POST", `/api/workflows/${id}/deactivate`);
  });

  test("by the Web UI's button is a run of that moment", async () => {
    const { id } = await install(scheduled("by-button", { every: "12h" }));
    await inTemporal("by-button");
    await until("a moment that is no whole minute", () => new Date().getSeconds() > 0);
    await handleOf("by-button").trigger();
    const [run] = await allRan(id, 1);
    expect(Date.now() - Date.parse(run!.at)).toBeLessThan(20_000);
    const fire = engine.link.client.workflow.getHandle(`${idOf("by-button")}-${run!.at.slice(0, 19)}Z`);
    expect(await fire.result()).toHaveProperty("runId");
    const history = await fire.fetchHistory();
    await expect(replay(await workflowBundlePath(), history, "fire")).resolves.toBeUndefined();
    if (recordHistories) await keepHistory("fire", history);
  });

  test("now has who asked for it, and what comes next begins there", async () => {
    const { id } = await install(scheduled("now", { every: "12h" }));
    const first = await call("POST", `/api/workflows/${id}/schedules/clock/run`);
    expect(first.status).toBe(202);
    await allRan(id, 1);
    await call("POST", `/api/workflows/${id}/schedules/clock/run`);
    const [one, two] = await allRan(id, 2);
    expect(one!.launchedBy).toMatchObject({ kind: "api-key", name: "Tester" });
    expect(two!.last).toBe(one!.at);
    expect((await state(id))["lastSuccessAt"]).toBe(two!.at);
    await call("POST", `/api/workflows/${id}/deactivate`);
    const refused = await call("POST", `/api/workflows/${id}/schedules/clock/run`);
    expect([refused.status, refused.body["code"]]).toEqual([409, "not-active"]);
  });
});

test("moments that nobody fired in time are counted once, and never fired late", async () => {
  const { id } = await install(scheduled("missed", { every: "1m", catchUp: "10m" }, inTurn));
  await inTemporal("missed");
  await until("it is known", async () => (await state(id))["temporalId"] !== null);
  // As it stands after an hour in which everything was away: nothing was looked after.
  await pool.query("update tandem.schedules set accounted_until = $2 where workflow_id = $1", [id, minutesAgo(60)]);
  await Promise.all([compare(), compare()]);
  const { lastWeek, lastMissedAt } = (await state(id)) as { lastWeek: { missed: number }; lastMissedAt: string };
  // From an hour ago to eleven minutes ago, both included, as the minute of this moment goes.
  expect(lastWeek.missed).toBeGreaterThanOrEqual(49);
  expect(lastWeek.missed).toBeLessThanOrEqual(51);
  expect(Date.parse(lastMissedAt)).toBeLessThanOrEqual(Date.now() - 11 * 60_000);
  const asked = await call("POST", `/api/workflows/${id}/schedules/clock/backfill`, {
    body: { from: minutesAgo(60).toISOString(), to: minutesAgo(40).toISOString() },
  });
  expect(asked.status).toBe(202);
  await until("twenty-one are missed no more", async () => {
    const after = (await state(id))["lastWeek"] as { missed: number };
    return after.missed === lastWeek.missed - 21;
  });
  await call("POST", `/api/workflows/${id}/deactivate`);
});
