import { suggest } from "./suggest.ts";

/** When a calendar fires: each field lists the values that match, ascending. A moment must match every field. */
export interface CalendarFields {
  readonly minute: readonly number[];
  readonly hour: readonly number[];
  readonly dayOfMonth: readonly number[];
  readonly month: readonly number[];
  /** 0 is Sunday. */
  readonly dayOfWeek: readonly number[];
}

export type Cron = { readonly fields: CalendarFields; readonly fault?: undefined } | { readonly fault: string };

interface FieldRule {
  readonly name: keyof CalendarFields;
  /** As people call it. */
  readonly title: string;
  readonly first: number;
  readonly last: number;
  /** Words for values, from `first` on. */
  readonly words?: readonly string[];
}

/** Days of the week as definitions write them; Sunday is 0. */
export const weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"] as const;
const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const daysOfMonths = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const rules: readonly FieldRule[] = [
  { name: "minute", title: "minute", first: 0, last: 59 },
  { name: "hour", title: "hour", first: 0, last: 23 },
  { name: "dayOfMonth", title: "day of the month", first: 1, last: 31 },
  { name: "month", title: "month", first: 1, last: 12, words: months },
  // Sunday is 0 and 7.
  { name: "dayOfWeek", title: "weekday", first: 0, last: 7, words: weekdays.map((day) => day.slice(0, 3)) },
];

const macros: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/**
 * Reads five fields: minute, hour, day of the month, month, weekday, with names, lists, ranges and steps.
 * `fault` says what is wrong, and in which field; a cron that fires on no day that there is is one, too.
 */
export function parseCron(text: string): Cron {
  const written = text.trim().split(/\s+/);
  const fault = faultOfShape(text.trim(), written);
  if (fault !== undefined) return { fault };
  const fields: Partial<Record<keyof CalendarFields, readonly number[]>> = {};
  for (const [position, rule] of rules.entries()) {
    const values = parseField(written[position] ?? "", rule);
    if (typeof values === "string") return { fault: `${rule.title} (field ${position + 1}): ${values}` };
    fields[rule.name] = values;
  }
  const { minute = [], hour = [], dayOfMonth = [], month = [], dayOfWeek = [] } = fields;
  if (!month.some((number) => dayOfMonth.some((day) => day <= (daysOfMonths[number - 1] ?? 0))))
    return { fault: `never fires: no month that it names (${written[3]}) has a day ${written[2]}` };
  return { fields: { minute, hour, dayOfMonth, month, dayOfWeek } };
}

function faultOfShape(text: string, written: readonly string[]): string | undefined {
  if (text.startsWith("@")) {
    const meant = macros[text.toLowerCase()];
    return `"${text}" is not read here${meant === undefined ? "" : `; write "${meant}"`}`;
  }
  if (/^(CRON_)?TZ=/.test(text)) return `the zone is the setting "timeZone", not a part of the cron`;
  if (written.length === rules.length) return undefined;
  const form = "a cron has five fields: minute, hour, day of the month, month, weekday";
  const seconds =
    written.length > 5 ? "; seconds and years are not among them: firings are a minute apart or more" : "";
  return `${form}; this has ${text === "" ? 0 : written.length}${seconds}`;
}

/** The values of one field, or what is wrong with it. */
function parseField(text: string, rule: FieldRule): readonly number[] | string {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const found = parsePart(part, rule);
    if (typeof found === "string") return found;
    // Sunday has two numbers.
    for (const value of found) values.add(rule.name === "dayOfWeek" ? value % 7 : value);
  }
  return [...values].toSorted((a, b) => a - b);
}

function parsePart(part: string, rule: FieldRule): readonly number[] | string {
  const [range = "", stepText, ...more] = part.split("/");
  if (range === "" || more.length > 0) return `"${part}" is no value; write ${formsOf(rule)}`;
  const step = stepText === undefined ? 1 : Number(/^\d{1,2}$/.exec(stepText)?.[0] ?? Number.NaN);
  if (!(step >= 1 && step <= rule.last)) return `the step "${stepText}" must be a number from 1 to ${rule.last}`;
  const bounds = boundsOf(range, stepText !== undefined, rule);
  if (typeof bounds === "string") return bounds;
  const [from, to] = bounds;
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, count) => from + count * step);
}

function boundsOf(range: string, stepped: boolean, rule: FieldRule): readonly [number, number] | string {
  // A star stands for each value once; Sunday as 7 is for those who count so.
  const last = rule.name === "dayOfWeek" ? 6 : rule.last;
  if (range === "*") return [rule.first, last];
  const ends = range.split("-");
  if (ends.length > 2) return `"${range}" is no range; write ${formsOf(rule)}`;
  const numbers: number[] = [];
  for (const end of ends) {
    const number = valueOf(end, rule);
    if (typeof number === "string") return number;
    numbers.push(number);
  }
  const [from = 0, to = stepped ? last : from] = numbers;
  if (to < from)
    return `the range ${range} goes backwards; write it as two, such as ${from}-${last},${rule.first}-${to}`;
  return [from, to];
}

function valueOf(text: string, rule: FieldRule): number | string {
  const { first, last, words = [], title } = rule;
  const number = /^\d{1,2}$/.test(text) ? Number(text) : numberOfWord(text, rule);
  if (number !== undefined && number >= first && number <= last) return number;
  const named = words.length > 0 ? ` or ${words[0]} to ${words.at(-1)}` : "";
  const written = number === undefined ? `"${text}"` : text;
  const fault = `${written} is not ${title === "hour" ? "an" : "a"} ${title}: ${first} to ${last}${named}`;
  const meant = number === undefined ? suggest(text, words) : undefined;
  return meant === undefined ? fault : `${fault}; did you mean "${meant}"?`;
}

/** Of days the long name is known, too. */
function numberOfWord(text: string, { first, words = [], name }: FieldRule): number | undefined {
  const word = text.toLowerCase();
  const long = name === "dayOfWeek" ? weekdays.findIndex((day) => day === word) : -1;
  const position = words.includes(word) ? words.indexOf(word) : long;
  return position < 0 ? undefined : first + position;
}

function formsOf({ first, last }: FieldRule): string {
  return `* for all, a number (${first} to ${last}), a range (${first}-${last}), a list (${first},${last}) or steps (*/2)`;
}
