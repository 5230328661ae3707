import { z } from "zod";
import { activate } from "../api.ts";
import { until, type Product } from "../product.ts";
import { insist } from "./insist.ts";
import { marking, type Pace, type Trial } from "./trial.ts";

const minuteMs = 60_000;
/** Minutes that are filled back, and how long ago they ended. */
const filled = { minutes: 60, agoMinutes: 20 };
const schedules = z.object({
  data: z.tuple([z.object({ nextAt: z.array(z.string()), lastFiring: z.object({ at: z.string() }).nullable() })]),
});
const appearMs = 60_000;
/** Longer than a schedule may be late after an outage. */
const fireMs = 180_000;
/** Enough to end the schedule before the next minute. */
const marginMs = 10_000;

/**
 * A schedule: it fires every minute, whatever is down at that moment, and an hour before it is filled
 * back meanwhile. Each minute is to leave one note, however often Temporal rings for it.
 */
export async function createTicks(product: Product): Promise<Trial> {
  const trigger = { id: "tick", kind: "schedule", cron: "* * * * *", timeZone: "UTC" };
  const { id } = await activate(product, {
    ...marking("tick", trigger, "tick {{ run.scheduledAt }}"),
    concurrency: { key: "tick", limit: 3, whenBusy: "queue" },
  });
  const path = `/api/workflows/${id}/schedules`;
  const read = async () => schedules.parse((await product.call("GET", path)).body).data[0];
  await until("the schedule to be in Temporal", async () => (await read()).nextAt.length > 0, appearMs);
  const first = Date.parse((await read()).nextAt[0] ?? "");
  const to = first - filled.agoMinutes * minuteMs;
  const from = to - filled.minutes * minuteMs;
  let last = first - minuteMs;
  return {
    async start(pace: Pace) {
      await pace.pause(3);
      const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
      await insist("the backfill", () => product.call("POST", `${path}/tick/backfill`, range), [202]);
    },
    /** Ends the schedule after a minute that has fired, and well before the next. */
    async finish() {
      await until("a minute to have fired", async () => (last = await firedThisMinute(read)) > 0, fireMs);
      await insist("the end of the schedule", () => product.call("POST", `/api/workflows/${id}/deactivate`), [200]);
    },
    marks: () => [...minutes(from, to), ...minutes(first, last)].map((at) => `tick ${at}`),
  };
}

/** The minute that it is, if it has fired and is not about to end; else 0. */
async function firedThisMinute(read: () => Promise<{ lastFiring: { at: string } | null }>): Promise<number> {
  const now = Date.now();
  const minute = now - (now % minuteMs);
  const { lastFiring } = await read();
  const hasFired = lastFiring !== null && Date.parse(lastFiring.at) >= minute;
  return hasFired && now - minute < minuteMs - marginMs ? minute : 0;
}

function minutes(from: number, to: number): string[] {
  return Array.from({ length: Math.max(Math.floor((to - from) / minuteMs) + 1, 0) }, (_, minute) =>
    new Date(from + minute * minuteMs).toISOString(),
  );
}
