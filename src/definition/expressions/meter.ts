import type { Json } from "../../json.ts";
import { ValueFault, type Value } from "./values.ts";

/** Counts the work of one evaluation, so that none goes on for long whatever it is given. */
export interface Meter {
  /** Throws ValueFault when too much was spent. */
  spend(work: number): void;
}

/** About a second. By work and not by the clock: a stopped or busy machine must not fail what is right. */
const mostWork = 2_000_000;

export function createMeter(): Meter {
  let left = mostWork;
  return {
    spend(work) {
      left -= work;
      if (left < 0)
        throw new ValueFault("this takes too much work to evaluate: fewer items or fewer filters are needed");
    },
  };
}

/** How much there is to walk through in a value, roughly: its own items or characters. */
export function sizeOf(value: Value | readonly Json[]): number {
  if (typeof value === "string") return value.length / 16;
  return Array.isArray(value) ? value.length : 1;
}
