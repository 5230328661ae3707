import type { WhenBusy } from "../../src/runs/enqueue.ts";

/** What the model knows of a run of one concurrency key. */
export interface Modelled {
  readonly id: string;
  readonly key: string;
  readonly limit: number;
  readonly whenBusy: WhenBusy;
  state: "new" | "in line" | "holds" | "started" | "over";
  /** Why it was skipped or cancelled. */
  reason?: "busy" | "superseded" | "replaced";
}

/** Concurrency keys as one would keep them by hand: one run after the other, in the order of ids. */
export function createLineModel() {
  const runs = new Map<string, Modelled>();

  const ofKey = (key: string, ...states: readonly Modelled["state"][]): Modelled[] =>
    [...runs.values()]
      .filter((run) => run.key === key && states.includes(run.state))
      .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const holders = (key: string): Modelled[] => ofKey(key, "holds", "started");

  function moveUp(key: string): void {
    for (const head of ofKey(key, "in line")) {
      if (holders(key).length >= head.limit) return;
      head.state = "holds";
    }
  }

  function drop(run: Modelled, reason: NonNullable<Modelled["reason"]>): void {
    run.reason = reason;
    if (run.state !== "started") run.state = "over";
  }

  function judge(run: Modelled): void {
    run.state = "in line";
    moveUp(run.key);
    if (ofKey(run.key, "in line").includes(run)) standDown(run);
    moveUp(run.key);
  }

  function standDown(run: Modelled): void {
    const same = (...states: readonly Modelled["state"][]): Modelled[] =>
      ofKey(run.key, ...states).filter(({ whenBusy, reason }) => whenBusy === run.whenBusy && reason === undefined);
    if (run.whenBusy === "skip") drop(run, "busy");
    if (run.whenBusy === "queue-latest") for (const older of same("in line").slice(0, -1)) drop(older, "superseded");
    if (run.whenBusy === "replace")
      for (const older of same("in line", "holds", "started").slice(0, -run.limit)) drop(older, "replaced");
  }

  return {
    add(run: Omit<Modelled, "state">): void {
      runs.set(run.id, { ...run, state: "new" });
    },
    /** Judges what is new, after what has gone has made room. */
    judgeAll(): void {
      for (const key of new Set([...runs.values()].map((run) => run.key))) moveUp(key);
      for (const run of [...runs.values()].filter(({ state }) => state === "new")) judge(run);
    },
    start(id: string): Modelled["state"] | undefined {
      const run = runs.get(id);
      const before = run?.state;
      if (run !== undefined) run.state = "started";
      return before;
    },
    close(id: string): void {
      const run = runs.get(id);
      if (run !== undefined) run.state = "over";
    },
    ids: (...states: readonly Modelled["state"][]): string[] =>
      [...runs.values()].filter(({ state }) => states.includes(state)).map(({ id }) => id),
    /** `state` or `state:reason` by id. */
    describe: (): Record<string, string> =>
      Object.fromEntries(
        [...runs.values()].map(({ id, state, reason }) => [id, reason === undefined ? state : `${state}:${reason}`]),
      ),
  };
}
