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
  const holding = inOrder(runs.filter(({ place }) => place === "holds"));
  const line = inOrder(runs.filter(({ place }) => place === "in-line"));
  const verdicts = new Map<string, Verdict>();
  const cancelled = new Set<string>();

  /** Lets go who stands first, up to a run: those after it come after who is still to be judged. */
  function letGo(upTo?: Standing): void {
    for (let head = line[0]; head !== undefined && holding.length < head.limit; head = line[0]) {
      if (upTo !== undefined && head.id > upTo.id) return;
      line.shift();
      holding.push(head);
      verdicts.set(head.id, { id: head.id, kind: "goes" });
    }
  }

  function leave(run: Standing, reason: RunReason): void {
    if (run.started) {
      // It holds the key until its workflow has ended: the one in its place starts after it.
      cancelled.add(run.id);
      verdicts.set(run.id, { id: run.id, kind: "cancelled", reason });
      return;
    }
    remove(line, run);
    remove(holding, run);
    verdicts.set(run.id, { id: run.id, kind: "skipped", reason });
  }

  const standDown: { readonly [policy in WhenBusy]: (run: Standing) => void } = {
    queue: () => {},
    skip(run) {
      const holder = holding[0] ?? line[0] ?? run;
      leave(run, {
        code: "busy",
        message: `Run ${holder.id} holds the concurrency key "${key}", which lets ${run.limit} go at once.`,
      });
    },
    "queue-latest"() {
      const peers = line.filter(({ whenBusy }) => whenBusy === "queue-latest");
      const latest = peers.pop();
      for (const run of peers)
        leave(run, {
          code: "superseded",
          message: `Run ${latest?.id} came later and waits for the concurrency key "${key}" in its stead.`,
        });
    },
    replace({ limit }) {
      const peers = inOrder([...holding, ...line].filter((run) => run.whenBusy === "replace" && !isEnding(run)));
      const newest = peers.at(-1);
      for (const run of peers.slice(0, Math.max(peers.length - limit, 0)))
        leave(run, {
          code: "replaced",
          message: `Run ${newest?.id} came later and takes its place at the concurrency key "${key}".`,
        });
    },
  };

  function isEnding(run: Standing): boolean {
    return run.cancelling || cancelled.has(run.id);
  }

  for (const run of inOrder(runs.filter(({ place }) => place === "new"))) {
    verdicts.set(run.id, { id: run.id, kind: "waits" });
    insert(line, run);
    letGo(run);
    if (verdicts.get(run.id)?.kind === "waits") standDown[run.whenBusy](run);
    letGo(run);
  }
  letGo();
  return [...verdicts.values()];
}

function inOrder(runs: readonly Standing[]): Standing[] {
  return runs.toSorted((a, b) => (a.id < b.id ? -1 : 1));
}

function insert(line: Standing[], run: Standing): void {
  line.splice(line.findLastIndex(({ id }) => id < run.id) + 1, 0, run);
}

function remove(runs: Standing[], run: Standing): void {
  const at = runs.indexOf(run);
  if (at >= 0) runs.splice(at, 1);
}
