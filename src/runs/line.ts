import type { RunReason, WhenBusy } from "./enqueue.ts";

/** An open run with a concurrency key, as it stands at it. */
export interface Standing {
  readonly id: string;
  /** How many may hold the key at once, as this run's definition says. */
  readonly limit: number;
  readonly whenBusy: WhenBusy;
  /** `new`: not judged yet. `holds`: the key lets it go, whether it has started or not. */
  readonly place: "new" | "in-line" | "holds";
  /** It holds the key and has started. */
  readonly started: boolean;
  /** Its cancel was asked for: it holds the key until it is closed. */
  readonly cancelling: boolean;
}

/** What becomes of a run; those of whom nothing is said stay where they are. */
export type Verdict =
  | { readonly id: string; readonly kind: "goes" | "waits" }
  | { readonly id: string; readonly kind: "skipped" | "cancelled"; readonly reason: RunReason };

/**
 * Judges the runs of one concurrency key: each new one in the order of ids, as if each had come alone.
 * It goes while fewer than its limit hold the key and nobody stands in line before it. Otherwise its own
 * `whenBusy` says what follows, and touches only runs that have the same: nobody is pushed out because
 * another workflow that shares the key is impatient.
 */
export function judgeLine(key: string, runs: readonly Standing[]): Verdict[] {
  const line = createLine(runs);
  for (const run of inOrder(runs.filter(({ place }) => place === "new"))) {
    line.join(run);
    line.letGo(run);
    if (line.waiting.includes(run)) for (const leaving of policies[run.whenBusy](line, run, key)) line.leave(leaving);
    line.letGo(run);
  }
  line.letGo();
  return line.verdicts();
}

interface Line {
  /** Who holds the key, the oldest first. */
  readonly holding: readonly Standing[];
  /** Who waits for it, in order. */
  readonly waiting: readonly Standing[];
}

/** A run that has to leave, and why. */
interface Leaving {
  readonly run: Standing;
  readonly reason: RunReason;
}

/** Who leaves when a run finds no room. */
const policies: { readonly [policy in WhenBusy]: (line: Line, run: Standing, key: string) => Leaving[] } = {
  queue: () => [],
  skip({ holding, waiting }, run, key) {
    const holder = holding[0] ?? waiting[0] ?? run;
    const message = `Run ${holder.id} holds the concurrency key "${key}", which lets ${run.limit} go at once.`;
    return [{ run, reason: { code: "busy", message } }];
  },
  "queue-latest"({ waiting }, run, key) {
    const peers = waiting.filter(({ whenBusy }) => whenBusy === run.whenBusy);
    const message = `Run ${peers.at(-1)?.id} came later and waits for the concurrency key "${key}" in its stead.`;
    return peers.slice(0, -1).map((older) => ({ run: older, reason: { code: "superseded", message } }));
  },
  replace({ holding, waiting }, run, key) {
    let peers = inOrder(
      [...holding, ...waiting].filter(({ whenBusy, cancelling }) => whenBusy === run.whenBusy && !cancelling),
    );
    // It gives way itself to those that came after it, where it is judged late, or again.
    return peers
      .filter(({ id }) => id >= run.id)
      .flatMap((newer) => {
        const message = `Run ${newer.id} came later and takes its place at the concurrency key "${key}".`;
        const older = peers.filter(({ id }) => id <= newer.id).slice(0, -newer.limit);
        peers = peers.filter((peer) => !older.includes(peer));
        return older.map((leaving) => ({ run: leaving, reason: { code: "replaced", message } }));
      });
  },
};

function createLine(runs: readonly Standing[]) {
  const holding = inOrder(runs.filter(({ place }) => place === "holds"));
  const waiting = inOrder(runs.filter(({ place }) => place === "in-line"));
  const verdicts = new Map<string, Verdict>();
  return {
    holding,
    waiting,
    verdicts: () => [...verdicts.values()],
    join(run: Standing): void {
      waiting.splice(waiting.findLastIndex(({ id }) => id < run.id) + 1, 0, run);
      verdicts.set(run.id, { id: run.id, kind: "waits" });
    },
    /** Lets go who stands first, up to a run: those after it come after who is still to be judged. */
    letGo(upTo?: Standing): void {
      for (let head = waiting[0]; head !== undefined && holding.length < head.limit; head = waiting[0]) {
        if (upTo !== undefined && head.id > upTo.id) return;
        waiting.shift();
        holding.push(head);
        verdicts.set(head.id, { id: head.id, kind: "goes" });
      }
    },
    /** One that has started holds the key until its workflow has ended: who takes its place starts after it. */
    leave({ run, reason }: Leaving): void {
      verdicts.set(run.id, { id: run.id, kind: run.started ? "cancelled" : "skipped", reason });
      const [list, at] = waiting.includes(run) ? [waiting, waiting.indexOf(run)] : [holding, holding.indexOf(run)];
      list.splice(at, 1, ...(run.started ? [{ ...run, cancelling: true }] : []));
    },
  };
}

function inOrder(runs: readonly Standing[]): Standing[] {
  return runs.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}
