import { dateFilters } from "./dates.ts";
import { listFilters } from "./lists.ts";
import { moneyFilters } from "./money.ts";
import { numberFilters } from "./numbers.ts";
import { textFilters } from "./text.ts";
import type { Json } from "../../json.ts";
import type { Value } from "./values.ts";

/** What a filter may know besides its value and arguments. */
export interface FilterContext {
  readonly timeZone: string;
  readonly now: Date;
}

/** A pure function: throws ValueFault. `name` is the filter's own, for its sentences. */
export interface Filter {
  /** Fewest and most arguments. */
  readonly takes: readonly [number, number];
  run(value: Value, args: readonly Value[], context: FilterContext): Json;
}

/** The closed list of filters; `default`, `optional` and `raw` are part of the language itself. */
export const filters: Readonly<Record<string, Filter>> = {
  ...textFilters,
  ...listFilters,
  ...numberFilters,
  ...dateFilters,
  ...moneyFilters,
};

export const languageFilters = ["default", "optional", "raw"] as const;

/** Every filter's name, for documents and suggestions. */
export const filterNames: readonly string[] = [...languageFilters, ...Object.keys(filters)];
