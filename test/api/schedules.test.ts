import { expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { scheduled } from "../worker/schedules/support.ts";
import { startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call } = await startGateway(pool);

const make = async (definition: JsonObject): Promise<string> => {
  const { status, body, text } = await call("POST", "/api/workflows", { body: definition });
  if (status !== 201) throw new Error(text);
  return String(body["id"]);
};

test("activation answers with a warning for each change of the clocks that the schedule meets", async () => {
  const id = await make(scheduled("nights", { every: { days: 1, at: "02:30" }, timeZone: "Europe/Berlin" }));
  const { body } = await call("POST", `/api/workflows/${id}/activate`);
  expect(body["warnings"]).toEqual([
    { path: "triggers[0]", message: expect.stringMatching(/^on \d{4}-\d\d-\d\d the clocks of Europe\/Berlin /) },
    { path: "triggers[0]", message: expect.stringMatching(/^on \d{4}-\d\d-\d\d the clocks of Europe\/Berlin /) },
  ]);
  const days = await make(scheduled("days", { every: { days: 1, at: "12:00" } }));
  expect((await call("POST", `/api/workflows/${days}/activate`)).body["warnings"]).toEqual([]);
});

test("a schedule that is wrong is refused with its place, when it is saved or when its setting is known", async () => {
  const wrong = await call("POST", "/api/workflows", {
    body: scheduled("wrong", { cron: "0 9 * * mom", endAt: "soon" }),
  });
  expect(wrong.body["issues"]).toEqual([
    {
      path: "triggers[0].cron",
      message: 'weekday (field 5): "mom" is not a weekday: 0 to 7 or sun to sat; did you mean "mon"?',
    },
    { path: "triggers[0].endAt", message: "a moment with its offset: 2026-12-01T08:00:00+01:00" },
  ]);
  const settings = { zone: { type: "text", default: "Europe/Berln" } };
  const id = await make(scheduled("later", { every: "1d", timeZone: "{{ settings.zone }}" }, { settings }));
  const { status, body } = await call("POST", `/api/workflows/${id}/activate`);
  expect([status, body["issues"]]).toEqual([
    422,
    [
      {
        path: "triggers[0].timeZone",
        message:
          'there is no time zone "Europe/Berln"; give an IANA name, such as Europe/Berlin; did you mean "Europe/Berlin"?',
      },
    ],
  ]);
});

test("a schedule is shown before any worker has seen it, and one that is not there is not found", async () => {
  const id = await make(scheduled("seen", { cron: "0 6 * * mon" }));
  expect((await call("GET", `/api/workflows/${id}/schedules`)).body["data"]).toEqual([]);
  await call("POST", `/api/workflows/${id}/activate`);
  expect((await call("GET", `/api/workflows/${id}/schedules`)).body["data"]).toEqual([
    {
      triggerId: "clock",
      when: "cron 0 6 * * mon (UTC)",
      timeZone: "UTC",
      active: true,
      paused: false,
      note: null,
      nextAt: [],
      lastFiring: null,
      lastSuccessAt: null,
      lastMissedAt: null,
      lastWeek: { fired: 0, skipped: 0, missed: 0 },
      temporalId: null,
      trouble: null,
    },
  ]);
  const missing = await call("POST", `/api/workflows/${id}/schedules/form/pause`, { body: {} });
  expect([missing.status, missing.body["code"]]).toEqual([404, "schedule-not-found"]);
});

test("a run now and a backfill are accepted while no worker runs; a preview says that none answers", async () => {
  const id = await make(scheduled("alone", { every: "1h" }));
  await call("POST", `/api/workflows/${id}/activate`);
  const run = await call("POST", `/api/workflows/${id}/schedules/clock/run`);
  expect((await call("GET", `/api/runs/${String(run.body["runId"])}`)).body).toMatchObject({ status: "queued" });
  const yesterday = new Date(Date.now() - 86_400_000).toISOString().slice(0, 10);
  const body = { from: `${yesterday}T00:00:00+01:00`, to: `${yesterday}T06:00:00Z` };
  const asked = await call("POST", `/api/workflows/${id}/schedules/clock/backfill`, { body });
  expect(asked.body).toMatchObject({ ...body, status: "waiting", runs: null });
  const preview = await call("POST", "/api/schedules/preview", { body: { every: "1h" } });
  expect([preview.status, preview.body["code"], preview.headers.get("retry-after")]).toEqual([503, "no-worker", "5"]);
});
