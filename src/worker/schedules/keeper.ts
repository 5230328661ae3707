import { findArmedTriggers, type ArmedTrigger } from "../../catalog/triggers.ts";
import type { Log } from "../../log.ts";
import { createRecent } from "../../recent.ts";
import { createLoop, type Loop } from "../../runs/loop.ts";
import { forgetFirings, type ScheduleKey } from "../../runs/schedules/firings.ts";
import { listScheduleRows, saveRemoved, saveTrouble, type ScheduleRow } from "../../runs/schedules/store.ts";
import { forgetWishes, isPreviewing } from "../../runs/schedules/wishes.ts";
import { isUnavailable } from "../../sql.ts";
import { bring, digestOfWanted, wantedOf, type BringParts } from "./bring.ts";
import { isTemporalAway, type WantedSchedule } from "./temporal.ts";
import { wishOfPreview } from "./wishes.ts";

/** Without a ring a change is found after this long. */
const everyMs = 5_000;
const troubledMs = 1_000;
/** All of them are compared with Temporal this often. */
const compareEveryMs = 60_000;
const forgetEveryMs = 3_600_000;
const together = 8;
const mostDigests = 10_000;

/**
 * Keeps one Schedule in Temporal for each armed schedule trigger of an active workflow, and no other of
 * this installation: at once when something changed, and by comparing all of them at start and every
 * minute, which mends what was lost, deleted or edited there. Any number of workers may do so at once.
 */
export function createScheduleKeeper({ log, ...parts }: BringParts & { log: Log }): Loop {
  const { pool, schedules, installation } = parts;
  /** Schedules that could not be brought about in the last round, and those of the round before. */
  let troubled = new Set<string>();
  let troubledBefore = new Set<string>();
  /** Digests of what is wanted, by what they are made of. */
  const digests = createRecent<string, string>(mostDigests);
  let nextComparison = 0;
  let nextForgetting = 0;

  async function round(): Promise<number> {
    try {
      await keep();
    } catch (error) {
      // What was away may have lost everything meanwhile.
      nextComparison = 0;
      throw error;
    }
    if (Date.now() >= nextForgetting) {
      await forgetFirings(pool);
      await forgetWishes(pool);
      nextForgetting = Date.now() + forgetEveryMs;
    }
    return troubled.size > 0 ? troubledMs : everyMs;
  }

  async function keep(): Promise<void> {
    [troubledBefore, troubled] = [troubled, new Set()];
    const whole = Date.now() >= nextComparison;
    // Listed before what is wanted is read: what is armed meanwhile is no stray.
    const present = whole ? await schedules.list() : [];
    const armed = await findArmedTriggers(pool, { kind: "schedule" });
    const rows = new Map((await listScheduleRows(pool)).map((row) => [keyOf(row), row]));
    const wanted = new Set(armed.map(keyOf));
    const changed = armed.flatMap((trigger): [ArmedTrigger, ScheduleRow][] => {
      const row = rows.get(keyOf(trigger));
      return row !== undefined && (whole || differs(trigger, row)) ? [[trigger, row]] : [];
    });
    await each(changed, ([trigger, row]) => guarded(row, () => bring(parts, trigger, row)));
    const gone = [...rows.values()].filter((row) => row.temporalId !== null && !wanted.has(keyOf(row)));
    await each(gone, (row) => guarded(row, () => remove(row)));
    if (!whole) return;
    const known = armed.flatMap((one) => readable(one)?.id ?? rows.get(keyOf(one))?.temporalId ?? []);
    await removeStrays(present, new Set(known));
    nextComparison = Date.now() + compareEveryMs;
  }

  /** Whether the schedule is to be brought about without waiting for the comparison of all. */
  function differs(armed: ArmedTrigger, row: ScheduleRow): boolean {
    if (row.asked > row.brought || row.temporalId === null || troubledBefore.has(keyOf(row))) return true;
    const state = `${keyOf(armed)} ${armed.revision} ${armed.workspace.timeZone}`;
    const known = digests.get(state);
    if (known !== undefined) return row.wanted !== known;
    const wanted = readable(armed);
    if (wanted === undefined) return true;
    const digest = digestOfWanted(wanted);
    digests.set(state, digest);
    return row.wanted !== digest;
  }

  /** What it is to be. Undefined: its settings cannot be read, which is told where it is brought about, and keeps no other. */
  function readable(armed: ArmedTrigger): WantedSchedule | undefined {
    try {
      return wantedOf(armed, installation);
    } catch {
      return undefined;
    }
  }

  async function remove(row: ScheduleRow): Promise<void> {
    if (row.temporalId !== null) await schedules.remove(row.temporalId);
    await saveRemoved(pool, row);
  }

  /** A trigger that Temporal refuses must not keep the others from theirs. */
  async function guarded(row: ScheduleRow, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isTemporalAway(error) || isUnavailable(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (!troubledBefore.has(keyOf(row)))
        log.warn({ err: error, ...keyOnly(row) }, "a schedule could not be brought about; it is tried again");
      troubled.add(keyOf(row));
      await saveTrouble(pool, row, message);
    }
  }

  async function removeStrays(present: readonly string[], known: ReadonlySet<string>): Promise<void> {
    await each(
      present.filter((id) => !known.has(id)),
      async (id) => {
        const wish = wishOfPreview(id, installation);
        if (wish !== undefined && (await isPreviewing(pool, wish))) return;
        await schedules.remove(id);
        log.info({ scheduleId: id }, "a Schedule in Temporal that nothing needs was removed");
      },
    );
  }

  return createLoop({ work: "keeping schedules", log, round });
}

function keyOf({ workflowId, triggerId }: ScheduleKey): string {
  return `${workflowId} ${triggerId}`;
}

function keyOnly({ workflowId, triggerId }: ScheduleKey): ScheduleKey {
  return { workflowId, triggerId };
}

async function each<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += together)
    await Promise.all(items.slice(from, from + together).map(work));
}
