import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "./random.ts";

/** A way to start runs, tried while parts are killed. */
export interface Trial {
  /** Starts what is to be started, each until it is accepted. */
  start(pace: Pace): Promise<void>;
  /** What is left to be done when no part is killed any more. */
  finish?(): Promise<void>;
  /** Titles of the notes that its runs have to leave: one of each. */
  marks(): readonly string[];
  /** What else went wrong, once no run is open. Titles of notes, with how many there are of each. */
  faults?(titles: ReadonlyMap<string, number>): Promise<readonly string[]>;
}

/** Spreads so many things over the time in which parts are killed. */
export interface Pace {
  pause(things: number): Promise<void>;
}

export function createPace(random: Random, overMs: number): Pace {
  return { pause: (things) => sleep((0.5 + random.next()) * (overMs / things)) };
}

/** A step that leaves a note, which is counted afterwards. */
export function mark(title: string, id = "mark") {
  return { id, kind: "create-record", input: { object: "note", values: { title } } };
}

/** A workflow whose only step leaves a note. */
export function marking(key: string, trigger: object, title: string) {
  return { formatVersion: 1, key: `chaos-${key}`, name: `Chaos: ${key}`, triggers: [trigger], steps: [mark(title)] };
}
