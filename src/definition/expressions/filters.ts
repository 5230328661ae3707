import type { Json } from "../../json.ts";
import { dateFilters } from "./dates.ts";
import { listFilters } from "./lists.ts";
import { moneyFilters } from "./money.ts";
import { numberFilters } from "./numbers.ts";
import { textFilters } from "./text.ts";
import type { Value } from "./values.ts";

/** What a filter may know besides its value and arguments. */
export interface FilterContext {
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  readonly now: Date;
  /** Pays for work that the sizes of value, arguments and result do not show. */
  spend(work: number): void;
}

/** A pure function; throws ValueFault, whose sentence names the filter. */
export interface Filter {
  /** Fewest and most arguments. */
  readonly takes: readonly [number, number];
  run(value: Value, args: readonly Value[], context: FilterContext): Json;
}

/** The closed list of filters that work on values. */
export const filters: Readonly<Record<string, Filter>> = {
  ...textFilters,
  ...listFilters,
  ...numberFilters,
  ...dateFilters,
  ...moneyFilters,
};

/** Filters that are part of the language: they decide what a missing value does, or how text is escaped. */
export const languageFilters: Readonly<Record<string, Pick<Filter, "takes">>> = {
  default: { takes: [1, 1] },
  optional: { takes: [0, 0] },
  raw: { takes: [0, 0] },
};

/** Every filter's name, for documents and suggestions. */
export const filterNames: readonly string[] = [...Object.keys(languageFilters), ...Object.keys(filters)];
