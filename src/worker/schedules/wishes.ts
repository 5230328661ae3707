import type { StepKinds } from "../../activities/step-kind.ts";
import { isUuid } from "../../ids.ts";
import type { Log } from "../../log.ts";
import { createLoop, type Loop } from "../../runs/loop.ts";
import { enqueueMoments, findArmedSchedule, timingOfArmed } from "../../runs/schedules/fire.ts";
import { countFiredSince } from "../../runs/schedules/firings.ts";
import { claimWish, endWish, returnWish, type Wish, type WishOutcome } from "../../runs/schedules/wishes.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { fallsOn, timingOf } from "../../triggers/schedule/timing.ts";
import { nextMoments } from "./moments.ts";
import { wantedOf, type BringParts } from "./bring.ts";
import { specOf } from "./spec.ts";
import { mostMoments } from "./temporal.ts";

const everyMs = 2_000;
/** Runs that are enqueued in one transaction. */
const batch = 100;

/** Grants wishes that need Temporal: previews of a schedule's next moments, and backfills. */
export function createWishKeeper(
  parts: BringParts & { kinds: StepKinds; log: Log; /** Called after runs were enqueued. */ enqueued(): void },
): Loop {
  const { pool, log } = parts;
  return createLoop({
    work: "granting schedules' wishes",
    log,
    async round() {
      const faults: unknown[] = [];
      for (let wish = await claimWish(pool); wish !== undefined; wish = await claimWish(pool)) {
        try {
          await endWish(pool, wish.id, await grant(parts, wish).catch(refused));
        } catch (error) {
          // The others are not to wait for it.
          await returnWish(pool, wish.id);
          faults.push(error);
        }
      }
      if (faults.length > 0) throw faults[0];
      return everyMs;
    },
  });
}

/** What Temporal does not take, it does not take the next time either. */
function refused(error: unknown): WishOutcome {
  if (error instanceof TypeError) return failed("refused", `Temporal does not take the schedule: ${error.message}`);
  throw error;
}

function grant(parts: Parameters<typeof createWishKeeper>[0], wish: Wish): Promise<WishOutcome> {
  return wish.kind === "preview" ? preview(parts, wish) : backfill(parts, wish);
}

const previewMark = "preview";

/** The wish that a throw-away Schedule was made for; undefined: it is none. */
export function wishOfPreview(scheduleId: string, installation: string): string | undefined {
  const start = `${installation}-${previewMark}-`;
  const wish = scheduleId.startsWith(start) ? scheduleId.slice(start.length) : "";
  return isUuid(wish) ? wish : undefined;
}

/** Asks Temporal by a paused Schedule that is thrown away: no other calendar agrees with it in all. */
async function preview(
  { schedules, installation }: BringParts,
  { id: wishId, settings, timeZone }: Extract<Wish, { kind: "preview" }>,
): Promise<WishOutcome> {
  const timing = timingOf(scheduleSettings.parse(settings), { timeZone });
  const id = `${installation}-${previewMark}-${wishId}`;
  const note = "Made to list its moments; it is removed at once.";
  const input = { workflowId: "", triggerId: "" };
  await schedules.create(
    { id, spec: specOf(timing), catchUpMs: timing.catchUpMs, input, note, memo: {} },
    { paused: true, note },
  );
  try {
    const listed = (await schedules.find(id))?.nextAt ?? [];
    const moments = await nextMoments(schedules, { id, timing, listed });
    return { status: "done", answer: { moments: moments.map((moment) => moment.toISOString()) } };
  } finally {
    await schedules.remove(id);
  }
}

async function backfill(
  parts: Parameters<typeof createWishKeeper>[0],
  wish: Extract<Wish, { kind: "backfill" }>,
): Promise<WishOutcome> {
  const { pool, schedules, installation } = parts;
  const armed = await findArmedSchedule(pool, wish);
  if (armed === undefined)
    return failed("not-active", "The workflow is not active any more: its schedule starts nothing.");
  const listed = await schedules.moments(wantedOf(armed, installation).id, wish.from, wish.to);
  if (listed.length >= mostMoments)
    return failed(
      "too-many",
      `There are ${mostMoments} moments or more in it. Ask for shorter times, one after another.`,
    );
  const timing = timingOfArmed(armed);
  const moments = listed.filter((moment) => fallsOn(timing, moment));
  for (let from = 0; from < moments.length; from += batch) {
    const fired = await enqueueMoments(parts, armed, { moments: moments.slice(from, from + batch), wait: "each" });
    if (fired === undefined)
      throw new Error("The trigger was changed while its past was fired. It is looked at again.");
    parts.enqueued();
  }
  // Counted by what is committed: this may be another worker's wish that was half done.
  const runs = await countFiredSince(pool, wish, { moments, since: wish.createdAt });
  return { status: "done", answer: { moments: moments.length, runs } };
}

function failed(code: string, message: string): WishOutcome {
  return { status: "failed", answer: { code, message } };
}
