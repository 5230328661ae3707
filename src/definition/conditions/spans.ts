import { Temporal } from "temporal-polyfill";
import { z } from "zod";
import { isJsonObject, type Json } from "../../json.ts";
import { readDate } from "../expressions/dates.ts";
import { kindOf, ValueFault } from "../expressions/values.ts";
import type { Comparing } from "./comparing.ts";

const units = ["minutes", "hours", "days", "weeks", "months"] as const;

/** `{ days: 7 }` and the like: one unit, a whole count of at least one. */
export const spanSchema = z
  .partialRecord(z.enum(units), z.number().int().min(1).max(100_000))
  .refine((span) => Object.keys(span).length === 1, "a span names one unit, such as { days: 7 }");

/** What is wrong with a span as written, before expressions in it are evaluated. */
export function faultOfSpan(span: Json): string | undefined {
  const example = `a span such as { days: 7 }, in ${units.join(", ")}`;
  if (!isJsonObject(span)) return `takes ${example}`;
  const [count] = Object.values(span);
  const isOpen = typeof count === "string" && count.includes("{{");
  const known = spanSchema.safeParse(isOpen ? Object.fromEntries(Object.keys(span).map((unit) => [unit, 1])) : span);
  return known.success ? undefined : `takes ${example}, with a whole number from 1 to 100,000`;
}

/** Whether a date lies in the span before or after now. A day counts whole: today is always in it. */
export function isWithin(
  left: Json,
  right: Json,
  operator: "inLast" | "inNext",
  { timeZone, now }: Comparing,
): boolean {
  const span = spanSchema.safeParse(right);
  if (!span.success) throw new ValueFault(`${operator} takes a span such as { days: 7 }`);
  if (left === null) return false;
  const date = typeof left === "string" ? readDate(left, timeZone) : undefined;
  if (date === undefined) throw new ValueFault(`${operator} looks at a date, but got ${kindOf(left)}`);
  const here = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  const there = operator === "inLast" ? here.subtract(span.data) : here.add(span.data);
  const [from, to] = operator === "inLast" ? [there, here] : [here, there];
  if ("day" in date) {
    const { compare } = Temporal.PlainDate;
    return compare(date.day, from.toPlainDate()) >= 0 && compare(date.day, to.toPlainDate()) <= 0;
  }
  const { compare } = Temporal.ZonedDateTime;
  return compare(date.moment, from) >= 0 && compare(date.moment, to) <= 0;
}
