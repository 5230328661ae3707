import { fallsOn, type Timing } from "../../triggers/schedule/timing.ts";
import { mostMoments, type Schedules } from "./temporal.ts";

/** So many moments are shown ahead. */
const shown = 10;
const dayMs = 86_400_000;

/**
 * The next moments that a schedule means; `listed` is what Temporal gave as such. Of an "every n-th" it
 * knows more than are meant, and is asked further ahead.
 */
export async function nextMoments(
  schedules: Pick<Schedules, "moments">,
  { id, timing, listed }: { id: string; timing: Timing; listed: readonly Date[] },
): Promise<readonly Date[]> {
  const { beat, startAt } = timing;
  const meant = (moments: readonly Date[]): Date[] => moments.filter((moment) => fallsOn(timing, moment));
  if (beat.kind === "interval" || beat.turn === undefined) return meant(listed).slice(0, shown);
  const days = beat.turn.each * (beat.turn.unit === "week" ? 7 : 1) * (shown + 1);
  const found: Date[] = [];
  let from = Math.max(Date.now(), startAt?.getTime() ?? 0);
  const to = new Date(from + days * dayMs);
  while (found.length < shown) {
    const page = await schedules.moments(id, new Date(from), to);
    found.push(...meant(page));
    const last = page.at(-1);
    if (last === undefined || page.length < mostMoments) break;
    from = last.getTime() + 1_000;
  }
  return found.slice(0, shown);
}
