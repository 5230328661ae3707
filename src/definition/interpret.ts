import {
  openingOf,
  type ItemEnd,
  type IteratorStep,
  type ParallelStep,
  type Plan,
  type PlanStep,
  type Verdict,
} from "./plan.ts";

/** How a walk ended. `halted`: `execute` asked to stop here; a later walk goes on from the ledger. */
export type Ending =
  /** `early`: a filter ended it, before the last step. */
  | { readonly kind: "completed"; readonly early?: true }
  | { readonly kind: "failed"; readonly path: string; readonly code: string; readonly attempts: number }
  | { readonly kind: "stopped"; readonly path: string; readonly as: "completed" | "failed" }
  | { readonly kind: "halted"; readonly path: string };

/** Where a walk is. */
export interface At {
  /** Stands before the ids of steps here: `each[42].`; empty outside of loops. */
  readonly prefix: string;
  /** Tells walks beside one another apart: `.0`, `.1.3`; steps of one walk have the same. */
  readonly lane: string;
  /** The innermost loop whose item this is, or parallel whose branch; absent at the top. */
  readonly scope?: { readonly node: number; readonly branch?: number };
  /** Whether the walks beside this one have ended what all of them lie in. */
  stopped(): boolean;
}

/** Does what a walk comes to. `halt` ends the walk before the step. */
export interface Executor {
  /** Does one step, or answers from what is sealed. `ended`: how the item came out that the step closes. */
  execute(step: PlanStep, path: string, at: At, ended?: ItemEnd): Promise<Verdict | "halt">;
  /** Before a block: what came of it, where it is over or done elsewhere; `walk`: walk it here. */
  enter(step: IteratorStep | ParallelStep, path: string, at: At): Promise<Verdict | "halt" | "walk">;
  /** Whether a loop is to begin no further items now. */
  resting(): boolean;
}

/** Items of a loop that may be begun beyond the first that is not over. */
export const itemWindow = 200;

const top: At = { prefix: "", lane: "", stopped: () => false };

/**
 * Walks a plan. The one interpreter of both lanes: in the workflow `execute` schedules activities, in
 * the quick lane it does the steps in process. It reads no clock, no chance and no data; every
 * decision comes from `execute` as a verdict.
 */
export async function interpret(plan: Pick<Plan, "steps">, executor: Executor): Promise<Ending> {
  return (await walk(plan.steps, top, executor)) ?? { kind: "completed" };
}

/** Walks steps one after the other. Undefined: every step is done and the walk goes on after them. */
export async function walk(steps: readonly PlanStep[], at: At, executor: Executor): Promise<Ending | undefined> {
  for (const step of steps) {
    const path = at.prefix + step.id;
    if (at.stopped()) return { kind: "halted", path };
    const ending =
      step.control === "iterator" || step.control === "parallel"
        ? await walkBlock(step, path, at, executor)
        : await follow(step, path, await executor.execute(step, path, at), { at, executor });
    if (ending !== undefined) return ending;
  }
  return undefined;
}

async function walkBlock(
  step: IteratorStep | ParallelStep,
  path: string,
  at: At,
  executor: Executor,
): Promise<Ending | undefined> {
  const entered = await executor.enter(step, path, at);
  if (entered !== "walk") return follow(step, path, entered, { at, executor });
  return step.control === "iterator" ? walkLoop(step, path, at, executor) : walkBeside(step, at, executor);
}

/** Walks a loop from its first item that is not over, and closes it. */
export async function walkLoop(
  step: IteratorStep,
  path: string,
  at: At,
  executor: Executor,
): Promise<Ending | undefined> {
  const opened = await executor.execute(step.open, openingOf(path), at);
  if (opened === "halt") return { kind: "halted", path };
  // A loop that could not be opened is closed with that failure.
  if (opened.kind === "items" && !(opened.failed && step.onItemError === "fail")) {
    const ending = await walkItems(step, { path, opened, at }, executor);
    if (ending !== undefined) return ending;
  }
  return follow(step, path, await executor.execute(step, path, at), { at, executor });
}

interface Items {
  readonly path: string;
  readonly opened: Extract<Verdict, { kind: "items" }>;
  readonly at: At;
}

async function walkItems(
  step: IteratorStep,
  { path, opened, at }: Items,
  executor: Executor,
): Promise<Ending | undefined> {
  const line = createLine(opened);
  return beside(step.concurrency, at, async (own) => {
    for (;;) {
      const index = own.stopped() || executor.resting() ? "halt" : await line.take();
      if (index === undefined) return undefined;
      if (index === "halt") {
        line.leave();
        return { kind: "halted", path };
      }
      const ended = await walkItem(step, { path, index, at: own }, executor).catch((error: unknown) => {
        line.leave();
        throw error;
      });
      if (ended === "over" || (ended === "failed" && step.onItemError === "continue")) line.settle(index);
      else if (ended === "failed") line.end();
      else {
        line.leave();
        return ended;
      }
    }
  });
}

/** The items that are still to be walked, in order, at most so many ahead of the first that is not over. */
function createLine({ count, from = 0, done = [] }: Extract<Verdict, { kind: "items" }>) {
  const over = new Set(done);
  const waiting: Array<() => void> = [];
  let [first, next, ended, halted] = [from, from, false, false];
  const wake = (): void => {
    for (const go of waiting.splice(0)) go();
  };
  return {
    /** The next item; undefined: there is none. */
    async take(): Promise<number | undefined | "halt"> {
      for (;;) {
        while (over.has(next)) next += 1;
        if (ended || next >= count) return undefined;
        if (halted) return "halt";
        if (next < first + itemWindow) {
          next += 1;
          return next - 1;
        }
        await new Promise<void>((go) => waiting.push(go));
      }
    },
    settle(index: number): void {
      over.add(index);
      while (over.delete(first)) first += 1;
      wake();
    },
    /** No further item is begun. */
    end(): void {
      ended = true;
      wake();
    },
    /** Whoever waits for an item to be over would wait for ever. */
    leave(): void {
      halted = true;
      wake();
    },
  };
}

/** Walks an item's steps and closes it. A filter ends the item only; `stop` ends the run. */
export async function walkItem(
  step: IteratorStep,
  { path, index, at }: { path: string; index: number; at: At },
  executor: Executor,
): Promise<Ending | "over" | "failed"> {
  const own = `${path}[${index}]`;
  const inside: At = { ...at, prefix: `${own}.`, scope: { node: step.node } };
  const ending = await walk(step.steps, inside, executor);
  if (ending?.kind === "halted" || ending?.kind === "stopped") return ending;
  const verdict = await executor.execute(step.item, own, inside, itemEnd(ending));
  if (verdict === "halt") return { kind: "halted", path: own };
  return verdict.kind === "item" && verdict.ended !== "failed" ? "over" : "failed";
}

function itemEnd(ending: Exclude<Ending, { kind: "halted" | "stopped" }> | undefined): ItemEnd {
  if (ending === undefined) return { kind: "succeeded" };
  return ending.kind === "completed" ? { kind: "filtered" } : { kind: "failed", path: ending.path, code: ending.code };
}

async function walkBeside(step: ParallelStep, at: At, executor: Executor): Promise<Ending | undefined> {
  const branches = step.branches.entries();
  return beside(step.branches.length, at, async (own) => {
    const { value } = branches.next();
    if (value === undefined) return undefined;
    const [branch, { steps }] = value;
    return walk(steps, { ...own, prefix: at.prefix, scope: { node: step.node, branch } }, executor);
  });
}

/**
 * Several walks beside one another. The first that ends what all of them lie in stops the others: they
 * begin no further step. All have come back before this does.
 */
async function beside(
  count: number,
  at: At,
  walkOne: (own: At) => Promise<Ending | undefined>,
): Promise<Ending | undefined> {
  const ended: Ending[] = [];
  const halted: Ending[] = [];
  const thrown: unknown[] = [];
  const own: At = { ...at, stopped: () => ended.length + thrown.length > 0 || at.stopped() };
  const walks = Array.from({ length: count }, async (_, number) => {
    try {
      const ending = await walkOne(count === 1 ? own : { ...own, lane: `${at.lane}.${number}` });
      if (ending !== undefined) (ending.kind === "halted" ? halted : ended).push(ending);
    } catch (error) {
      thrown.push(error);
    }
  });
  await Promise.all(walks);
  if (thrown.length > 0) throw thrown[0];
  return ended[0] ?? halted[0];
}

async function follow(
  step: PlanStep,
  path: string,
  verdict: Verdict | "halt",
  { at, executor }: { at: At; executor: Executor },
): Promise<Ending | undefined> {
  if (verdict === "halt") return { kind: "halted", path };
  switch (verdict.kind) {
    case "done":
    case "items":
    case "item":
      return undefined;
    case "end":
      return { kind: "completed", early: true };
    case "stop":
      return { kind: "stopped", path: verdict.path ?? path, as: verdict.as };
    case "branch": {
      const branch = step.control === "branch" && verdict.index !== null ? step.branches[verdict.index] : undefined;
      return branch === undefined ? undefined : walk(branch.steps, at, executor);
    }
    case "failed":
      if (verdict.handled === "continue") return undefined;
      if (verdict.handled === "steps" && step.onError?.steps) return walk(step.onError.steps, at, executor);
      return { kind: "failed", path, code: verdict.code, attempts: verdict.attempts };
  }
}
