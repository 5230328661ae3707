import type { JsonObject } from "../json.ts";
import { warnOfClockChanges } from "./schedule/clock-changes.ts";
import { scheduleSettings } from "./schedule/settings.ts";
import { timingOf, type Timing } from "./schedule/timing.ts";
import type { TriggerKind, TriggerWarning } from "./trigger-kind.ts";

export const schedule: TriggerKind = {
  kind: "schedule",
  title: "Schedule",
  description: "Starts a run at times: every so many minutes, hours, days or weeks, or by a cron.",
  settings: scheduleSettings,
  gives: () => ({}),
  warn(settings, context) {
    return warningsOf(settings, context).map((message) => ({ path: context.at, message }));
  },
  sample: {
    settings: { every: { days: 1, at: "07:30" }, timeZone: "Europe/Berlin" },
    gives: {},
  },
};

function warningsOf(settings: JsonObject, { timeZone, now }: TriggerWarning): string[] {
  const parsed = scheduleSettings.parse(settings);
  const timing = timingOf(parsed, { timeZone });
  return [...warnOfEnd(timing, now), ...warnOfBothDays(timing), ...warnOfClockChanges(timing, now)];
}

function warnOfEnd({ endAt }: Timing, now: Date): string[] {
  return endAt !== undefined && endAt <= now ? [`endAt (${endAt.toISOString()}) has passed: it fires no more`] : [];
}

/** Other crons fire on either. */
function warnOfBothDays({ beat }: Timing): string[] {
  if (beat.kind === "interval") return [];
  const both = beat.calendars.some(({ dayOfMonth, dayOfWeek }) => dayOfMonth.length < 31 && dayOfWeek.length < 7);
  return both ? ["names days of the month and weekdays: it fires on days that are both, not on either"] : [];
}
