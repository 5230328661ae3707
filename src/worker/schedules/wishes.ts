import type { StepKinds } from "../../activities/step-kind.ts";
import { isUuid } from "../../ids.ts";
import type { Log } from "../../log.ts";
import { createLoop, type Loop } from "../../runs/loop.ts";
import { enqueueMoments, findArmedSchedule } from "../../runs/schedules/fire.ts";
import { countFiredSince } from "../../runs/schedules/firings.ts";
import { claimWish, endWish, returnWish, type Wish, type WishOutcome } from "../../runs/schedules/wishes.ts";
import { scheduleSettings } from "../../triggers/schedule/settings.ts";
import { fallsOn, timingOf } from "../../triggers/schedule/timing.ts";
import { nextMoments } from "./moments.ts";
import { wantedOf, type BringParts } from "./bring.ts";
import { specOf } from "./spec.ts";
import { mostMoments } from "./temporal.ts";

const everyMs = 2_000;
/** A wish that is given back can be taken again after a second. */
const notYetMs = 1_100;
/** Runs that are enqueued in one transaction. */
const batch = 100;

/** What granting wishes needs. */
interface WishParts extends BringParts {
  readonly kinds: StepKinds;
  readonly log: Log;
  /** Called after runs were enqueued. */
  enqueued(): void;
}

/** How a wish came out; it may have to be looked at again. */
type Granted = WishOutcome | "not-yet";

/** Grants wishes that need Temporal: previews of a schedule's next moments, and backfills. */
export function createWishKeeper(parts: WishParts): Loop {
  const { pool, log } = parts;
  return createLoop({
    work: "granting schedules' wishes",
    log,
    async round() {
      const faults: unknown[] = [];
      let rest = everyMs;
      for (let wish = await claimWish(pool); wish !== undefined; wish = await claimWish(pool)) {
        const granted = await grant(parts, wish).catch((error: unknown): Granted => {
          // What Temporal does not take, it does not take the next time either.
          if (error instanceof TypeError) return failed("refused", `Temporal does not take it: ${error.message}`);
          // The other wishes are not to wait for this one.
          faults.push(error);
          return "not-yet";
        });
        if (granted !== "not-yet") await endWish(pool, wish.id, granted);
        else {
          await returnWish(pool, wish.id);
          rest = notYetMs;
        }
      }
      if (faults.length > 0) throw faults[0];
      return rest;
    },
  });
}

function grant(parts: WishParts, wish: Wish): Promise<Granted> {
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

async function backfill(parts: WishParts, wish: Extract<Wish, { kind: "backfill" }>): Promise<Granted> {
  const { pool, schedules, installation } = parts;
  const armed = await findArmedSchedule(pool, wish);
  if (armed === undefined)
    return failed("not-active", "The workflow is not active any more: its schedule starts nothing.");
  const { id, timing } = wantedOf(armed, installation);
  // It was armed a moment ago.
  if ((await schedules.find(id)) === undefined) return "not-yet";
  const listed = await schedules.moments(id, wish.from, wish.to);
  if (listed.length >= mostMoments)
    return failed(
      "too-many",
      `There are ${mostMoments} moments or more in it. Ask for shorter times, one after another.`,
    );
  const moments = listed.filter((moment) => fallsOn(timing, moment));
  for (let from = 0; from < moments.length; from += batch) {
    const fired = await enqueueMoments(parts, armed, { moments: moments.slice(from, from + batch), wait: "each" });
    // The trigger was changed in this moment.
    if (fired === undefined) return "not-yet";
    parts.enqueued();
  }
  // Counted by what is committed: this may be another worker's wish that was half done.
  const runs = await countFiredSince(pool, wish, { moments, since: wish.createdAt });
  return { status: "done", answer: { moments: moments.length, runs } };
}

function failed(code: string, message: string): WishOutcome {
  return { status: "failed", answer: { code, message } };
}
