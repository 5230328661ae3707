/** Choices that one number decides, so that a step of a sequence is that number and nothing else. */
export interface Dice {
  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number;
  /** True once in so many. */
  oneIn(times: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** Items of the list, each with the chance of one in two, in its order. */
  some<T>(items: readonly T[]): T[];
}

export function createDice(seed: number): Dice {
  let state = seed | 0;
  const below = (limit: number): number => {
    // mulberry32
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  return {
    below,
    oneIn: (times) => below(times) === 0,
    pick(items) {
      const picked = items[below(items.length)];
      if (picked === undefined) throw new Error("There is nothing to pick from.");
      return picked;
    },
    some: (items) => items.filter(() => below(2) === 0),
  };
}
