import { expect, test } from "vitest";
import {
  interpret,
  itemWindow,
  walkLoop,
  type At,
  type Ending,
  type Executor,
} from "../../src/definition/interpret.ts";
import type { ItemEnd, IteratorStep, PlanStep, Verdict } from "../../src/definition/plan.ts";

const policy = {
  quick: true,
  queue: "runs",
  timeoutMs: 1_000,
  retry: { maximumAttempts: 1, initialIntervalMs: 1, backoffCoefficient: 1, maximumIntervalMs: 1 },
} as const;

let nodes = 0;
const base = (id: string) => ({ ...policy, id, name: id, node: nodes++ });
const step = (id: string): PlanStep => ({ ...base(id), control: "effect", kind: "test", version: 1 });
const loop = (
  id: string,
  steps: PlanStep[],
  rest: { concurrency?: number; onItemError?: "fail" | "continue" } = {},
): IteratorStep => ({
  ...base(id),
  control: "iterator",
  kind: "iterator",
  concurrency: 1,
  onItemError: "fail",
  ...rest,
  open: { ...base(`${id}.open`), control: "open", kind: "open" },
  steps,
  item: { ...base(`${id}.item`), control: "item", kind: "item" },
});
const parallel = (id: string, branches: PlanStep[][]): PlanStep => ({
  ...base(id),
  control: "parallel",
  kind: "parallel",
  branches: branches.map((steps, i) => ({ name: `b${i}`, steps })),
});

/** What a world decides of a step; undefined: it is done. */
type Decide = (path: string) => Verdict | undefined;

/** A ledger, and an executor over it that halts where it is told to. */
function createWorld(decide: Decide, counts: Record<string, number> = {}) {
  const sealed = new Map<string, Verdict>();
  const did: string[] = [];
  let [underWay, most] = [0, 0];
  const progress = (path: string, count: number): Verdict => {
    const done = Array.from({ length: count }, (_, i) => i).filter((i) => sealed.has(`${path}[${i}]`));
    const over = new Set(done);
    const from = Array.from({ length: count }, (_, i) => i).find((i) => !over.has(i)) ?? count;
    const failed = done.some((i) => sealed.get(`${path}[${i}]`)?.kind === "item" && isFailed(`${path}[${i}]`));
    return { kind: "items", count, from, done: done.filter((i) => i > from), ...(failed ? { failed } : {}) };
  };
  const isFailed = (path: string): boolean => {
    const verdict = sealed.get(path);
    return verdict?.kind === "item" && verdict.ended === "failed";
  };
  const verdictOf = (part: PlanStep, path: string, ended: ItemEnd | undefined): Verdict => {
    if (part.control === "open") return { kind: "items", count: counts[path.slice(0, -".open".length)] ?? 0 };
    if (part.control === "item") return { kind: "item", ended: ended?.kind ?? "succeeded" };
    return decide(path) ?? { kind: "done" };
  };
  function executor(halts: () => boolean = () => false): Executor {
    return {
      async execute(part, path, _at, ended) {
        const known = sealed.get(path);
        if (known !== undefined) return known.kind === "items" ? progress(path.slice(0, -5), known.count) : known;
        if (halts()) return "halt";
        underWay += 1;
        most = Math.max(most, underWay);
        await Promise.resolve();
        underWay -= 1;
        const verdict = verdictOf(part, path, ended);
        sealed.set(path, verdict);
        did.push(path);
        return verdict;
      },
      enter: (_part, path) => Promise.resolve(sealed.get(path) ?? "walk"),
      resting: () => false,
    };
  }
  return { sealed, did, executor, most: () => most };
}

const failed = (path: string): Verdict => ({ kind: "failed", code: path, attempts: 1, handled: "no" });

test("items are walked in their order, and the loop is closed after them", async () => {
  const plan = { steps: [loop("each", [step("a"), step("b")]), step("after")] };
  const world = createWorld(() => undefined, { each: 2 });
  expect(await interpret(plan, world.executor())).toEqual({ kind: "completed" });
  expect(world.did).toEqual("each.open each[0].a each[0].b each[0] each[1].a each[1].b each[1] each after".split(" "));
});

test("a loop of no items is opened and closed", async () => {
  const world = createWorld(() => undefined, { each: 0 });
  await interpret({ steps: [loop("each", [step("a")])] }, world.executor());
  expect(world.did).toEqual(["each.open", "each"]);
});

test("a filter ends the item, a stop the run, from however deep", async () => {
  const inner = loop("inner", [step("a"), parallel("both", [[step("b")], [step("c")]])]);
  const plan = { steps: [loop("each", [inner, step("d")]), step("after")] };
  const world = createWorld(
    (path) => {
      if (path === "each[0].inner[0].a") return { kind: "end" };
      return path === "each[1].inner[1].c" ? { kind: "stop", as: "failed" } : undefined;
    },
    { each: 3, "each[0].inner": 1, "each[1].inner": 3 },
  );
  expect(await interpret(plan, world.executor())).toEqual({
    kind: "stopped",
    as: "failed",
    path: "each[1].inner[1].c",
  });
  expect(world.sealed.get("each[0].inner[0]")).toEqual({ kind: "item", ended: "filtered" });
  expect(world.did).toContain("each[0].d");
  expect(world.did).not.toContain("each[1].inner");
});

test("an item that fails ends the loop before the next one, unless it goes on", async () => {
  for (const onItemError of ["fail", "continue"] as const) {
    const world = createWorld((path) => (path === "each[1].a" ? failed("broken") : undefined), { each: 4 });
    await interpret({ steps: [loop("each", [step("a")], { onItemError })] }, world.executor());
    expect(world.sealed.get("each[1]")).toEqual({ kind: "item", ended: "failed" });
    expect(world.did.includes("each[2].a")).toBe(onItemError === "continue");
    expect(world.did.at(-1)).toBe("each");
  }
});

test("as many items as are allowed are walked at once, none far ahead of the first that is not over", async () => {
  const world = createWorld(() => undefined, { each: 50 });
  await interpret({ steps: [loop("each", [step("a"), step("b")], { concurrency: 7 })] }, world.executor());
  expect(world.most()).toBe(7);

  let release: (() => void) | undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const begun = createWorld(() => undefined, { each: itemWindow + 50 });
  const executor = begun.executor();
  const walking = interpret(
    { steps: [loop("each", [step("a")], { concurrency: 2 })] },
    {
      ...executor,
      async execute(...asked) {
        if (asked[1] === "each[0].a") await held;
        if (asked[1] === `each[${itemWindow - 1}]`) setImmediate(() => release?.());
        return executor.execute(...asked);
      },
    },
  );
  expect(await walking).toEqual({ kind: "completed" });
  expect(begun.did.indexOf(`each[${itemWindow}].a`)).toBeGreaterThan(begun.did.indexOf("each[0]"));
});

test("a walk that throws ends those beside it, also who waits for an item to be over", async () => {
  const world = createWorld(() => undefined, { each: itemWindow + 10 });
  const executor = world.executor();
  const walking = interpret(
    { steps: [loop("each", [step("a")], { concurrency: 3 })] },
    {
      ...executor,
      async execute(...asked) {
        if (asked[1] !== "each[0].a") return executor.execute(...asked);
        await new Promise((resolve) => setTimeout(resolve, 20));
        throw new Error("gone");
      },
    },
  );
  await expect(walking).rejects.toThrow("gone");
});

test("a loop rests when it is told to, and goes on from there", async () => {
  const each = loop("each", [step("a")], { concurrency: 2 });
  const world = createWorld(() => undefined, { each: 9 });
  const at: At = { prefix: "", lane: "", stopped: () => false };
  for (let [round, ending] = [0, undefined as Ending | undefined]; ; round++) {
    const until = world.did.length + 6;
    ending = await walkLoop(each, "each", at, { ...world.executor(), resting: () => world.did.length >= until });
    if (ending === undefined) break;
    expect(ending.kind).toBe("halted");
    expect(round).toBeLessThan(20);
  }
  expect(world.did.filter((path) => path.endsWith(".a"))).toHaveLength(9);
});

/** A small generator, so that a failure can be repeated by its seed. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return state / 4_294_967_296;
  };
}

let ids = 0;

function randomSteps(random: () => number, depth: number, loops: number): PlanStep[] {
  return Array.from({ length: 1 + Math.floor(random() * 3) }, () => {
    const id = `s${(ids += 1)}`;
    const kind = random();
    if (depth === 0 || kind < 0.5) return step(id);
    if (kind < 0.75 || loops === 3)
      return parallel(
        id,
        [0, 1].map(() => randomSteps(random, depth - 1, loops)),
      );
    return loop(id, randomSteps(random, depth - 1, loops + 1), {
      concurrency: 1 + Math.floor(random() * 3),
      onItemError: random() < 0.5 ? "fail" : "continue",
    });
  });
}

/** Walks the same plan twice: once through, and once with halts at every third step or so. */
async function walkTwice(seed: number, decide: (path: string) => Verdict | undefined) {
  const random = createRandom(seed);
  const plan = { steps: randomSteps(random, 3, 0) };
  const counts = new Proxy({} as Record<string, number>, { get: (_, path) => String(path).length % 4 });
  const whole = createWorld(decide, counts);
  const ended = await interpret(plan, whole.executor());
  const broken = createWorld(decide, counts);
  let last: Ending = { kind: "halted", path: "" };
  for (let walks = 0; last.kind === "halted"; walks++) {
    if (walks > 5_000) throw new Error(`Seed ${seed} comes to no end.`);
    last = await interpret(
      plan,
      broken.executor(() => random() < 0.3),
    );
  }
  return { whole, broken, ended, last };
}

test("whatever halts a walk, and however often, every step is done once", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const { whole, broken } = await walkTwice(seed, () => undefined);
    expect([seed, broken.did.toSorted()]).toEqual([seed, whole.did.toSorted()]);
    expect([seed, new Set(broken.did).size]).toEqual([seed, broken.did.length]);
  }
});

test("a walk that was halted ends as one that was not, where steps fail and filters end items", async () => {
  for (let seed = 1; seed <= 200; seed++) {
    // Each path is decided by itself, so that both worlds decide alike.
    const decide: Decide = (path) => {
      const hash = Buffer.from(path).reduce((sum, byte) => (sum * 31 + byte) % 2 ** 31, seed);
      const chance = createRandom(hash)();
      return chance < 0.05 ? failed("broken") : chance < 0.08 ? { kind: "end" } : undefined;
    };
    const { broken, ended, last } = await walkTwice(seed, decide);
    expect([seed, last.kind]).toEqual([seed, ended.kind]);
    expect([seed, new Set(broken.did).size]).toEqual([seed, broken.did.length]);
  }
});
