import { listFilters } from "../../definition/expressions/lists.ts";
import { moneyFilters } from "../../definition/expressions/money.ts";
import { numberFilters } from "../../definition/expressions/numbers.ts";
import { textFilters } from "../../definition/expressions/text.ts";
import type { Filter } from "../../definition/expressions/filters.ts";
import type { Json } from "../../json.ts";
import { formatCsv, parseCsv } from "./csv.ts";
import type { Host } from "./kit.ts";

type Helper = (...values: Json[]) => unknown;

/** Filters of expressions that work here as they are; those of dates need the host's calendar. */
const filters: Readonly<Record<string, Filter>> = {
  ...textFilters,
  ...listFilters,
  ...numberFilters,
  ...moneyFilters,
};

const context = { timeZone: "UTC", now: new Date(0), spend: (): void => {} };

/** The globals: every filter of expressions under its name in camelCase, ids, hashes, base64 and CSV. */
export function createHelpers(host: Host): Readonly<Record<string, unknown>> {
  const ask = (name: string, ...texts: string[]): string => {
    const answer = host(name, ...texts);
    if (answer.startsWith("!")) throw new TypeError(answer.slice(1));
    return answer.slice(1);
  };
  const helpers: Record<string, unknown> = { parseCsv, formatCsv };
  for (const [name, { takes, run }] of Object.entries(filters))
    helpers[camelCase(name)] = helper(name, takes, (value, ...args) => run(value, args, context));
  const dates = JSON.parse(ask("dates")) as Record<string, Filter["takes"]>;
  for (const [name, takes] of Object.entries(dates))
    helpers[camelCase(name)] = helper(name, takes, (value, ...args) =>
      JSON.parse(ask("date", name, JSON.stringify([value ?? null, ...args]))),
    );
  // What the host does, with how many texts.
  for (const [name, count] of Object.entries(JSON.parse(ask("texts")) as Record<string, number>))
    helpers[name] = (...values: unknown[]) => {
      const texts = values.slice(0, count).map((value) => (typeof value === "string" ? value : refuse(name)));
      return ask(name, ...texts);
    };
  return helpers;
}

/** A filter as a function; its faults are told under the helper's name. */
function helper(name: string, [fewest, most]: Filter["takes"], run: Helper): Helper {
  const called = camelCase(name);
  return (...values) => {
    const given = values.length - 1;
    if (given < fewest || given > most)
      throw new TypeError(`${called} takes a value and ${fewest === most ? most : `${fewest} to ${most}`} more`);
    try {
      return run(...values);
    } catch (error) {
      throw error instanceof Error ? new TypeError(error.message.replace(name, called)) : error;
    }
  };
}

function camelCase(name: string): string {
  return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

function refuse(name: string): never {
  throw new TypeError(`${name} takes text`);
}
