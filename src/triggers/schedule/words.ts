import type { Every } from "./every.ts";
import type { ScheduleSettings } from "./settings.ts";

/** When the schedule fires, as people read it: "every 2 weeks on monday at 07:30 (Europe/Berlin)". */
export function describeSchedule({ every, cron }: ScheduleSettings, timeZone: string): string {
  return `${cron === undefined ? wordsOf(every ?? "1d") : `cron ${cron}`} (${timeZone})`;
}

function wordsOf(every: Every): string {
  if (typeof every === "string") return `every ${every}`;
  if ("minutes" in every) return `every ${counted(every.minutes, "minute")}`;
  if ("hours" in every) return `every ${counted(every.hours, "hour")}`;
  const times = [every.at].flat().join(", ");
  if ("days" in every) return `every ${counted(every.days, "day")} at ${times}`;
  return `every ${counted(every.weeks, "week")} on ${every.on.join(", ")} at ${times}`;
}

function counted(count: number, unit: string): string {
  return count === 1 ? unit : `${count} ${unit}s`;
}
