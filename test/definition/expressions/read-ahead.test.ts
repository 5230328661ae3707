import { describe, expect, test } from "vitest";
import {
  compileValue,
  pathOf,
  readAhead,
  readsByPage,
  type Evaluation,
  type ListSource,
} from "../../../src/definition/expressions.ts";
import type { Json } from "../../../src/json.ts";

/** A list in pages of a length, and what was read of it. */
function sourceOf(list: readonly Json[], length: number): ListSource & { readonly read: number[]; held: number } {
  const source = {
    count: list.length,
    read: [] as number[],
    held: 0,
    async *pages() {
      for (let from = 0; from < list.length; from += length) {
        source.read.push(from);
        yield list.slice(from, from + length);
      }
    },
    async item(index: number) {
      source.read.push(index - (index % length));
      return list[index];
    },
    hold(bytes: number) {
      source.held += bytes;
    },
  };
  return source;
}

function evaluationOf(list: Json): Evaluation {
  const values: Record<string, Json> = { list, wanted: "b", between: "/" };
  return {
    lookup: ([root, ...rest]) =>
      rest.reduce<Json | undefined>(
        (value, key) => (value as Record<string, Json> | undefined)?.[key],
        values[String(root)],
      ),
    timeZone: "UTC",
    now: new Date(0),
  };
}

function resultOf(work: () => Json | undefined): Json {
  try {
    return work() ?? null;
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

/** The same expression over the list as a whole, and over its pages. */
async function both(expression: string, list: readonly Json[], length: number) {
  const { compiled, issues } = compileValue(expression, { at: "at", optional: "allowed" });
  expect(issues).toEqual([]);
  const read = compiled.reads.find(({ chain, path }) => chain !== undefined && path[0] === "list");
  const chain = read?.chain;
  if (read === undefined || chain === undefined) throw new Error("no expression begins with the list");
  const source = sourceOf(list, length);
  const evaluation = evaluationOf([...list]);
  const whole = resultOf(() => compiled.evaluate(evaluation));
  const unread = { ...evaluation, lookup: evaluationOf("unread").lookup };
  const ahead = new Map([[chain, await readAhead(chain, source, unread)]]);
  const paged = resultOf(() => compiled.evaluate({ ...unread, ahead }));
  return { whole, paged, source, byPage: readsByPage(chain) };
}

/** A list of records like those of searches, the same for the same seed. */
function randomList(seed: number): Json[] {
  let state = seed * 2_654_435_761 + 1;
  const next = (below: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * below);
  };
  const names: Json[] = ["a", "b", "c", "", null];
  return Array.from({ length: next(40) }, () => ({
    name: names[next(5)] ?? null,
    amount: [0.1, 0.2, 1e15, -3, 0, null][next(6)] ?? null,
    tags: Array.from({ length: next(3) }, () => ["x", "y", "z"][next(3)] ?? "x"),
    ...(next(2) === 0 ? { open: next(2) === 0 } : {}),
  }));
}

const expressions = [
  "{{ list | size }}",
  "{{ list | first }}",
  "{{ list | last }}",
  "{{ list | map: 'name' }}",
  "{{ list | map: 'name' | compact }}",
  "{{ list | map: 'name' | compact | join: ', ' }}",
  "{{ list | map: 'name' | compact | join: between }}",
  "{{ list | map: 'name' | join }}",
  "{{ list | sum: 'amount' }}",
  "{{ list | where: 'open' | sum: 'amount' | plus: 1 }}",
  "{{ list | where: 'name', wanted | size }}",
  "{{ list | where: 'name', wanted | first }}",
  "{{ list | where: 'name', 'c' | last }}",
  "{{ list | where: 'name', 'nobody' | first | default: 'none' }}",
  "{{ list | map: 'tags' | flatten | uniq }}",
  "{{ list | map: 'tags' | flatten | uniq | sort | join: '' }}",
  "{{ list | uniq: 'name' | map: 'amount' }}",
  "{{ list | uniq | size }}",
  "{{ list | map: 'amount' | compact | sort }}",
  "{{ list | where: 'open' | json }}",
  "{{ list | default: 'x' | map: 'name' | optional }}",
  "{{ list | where: 'name', missing.path }}",
  "{{ list | sum }}",
  "{{ list | map: 'name' | upcase }}",
];

describe("an expression over a list, page by page, gives what it gives over the whole", () => {
  test.each(expressions)("%s", async (expression) => {
    for (let seed = 0; seed < 40; seed++) {
      const list = randomList(seed);
      const { whole, paged } = await both(expression, list, 1 + (seed % 7));
      expect({ seed, value: paged }).toEqual({ seed, value: whole });
    }
  });
});

describe("of a list is read", () => {
  const list = Array.from({ length: 100 }, (_, i): Json => ({ i, name: i === 42 ? "b" : "a" }));
  test.each([
    ["{{ list | size }}", []],
    ["{{ list | first }}", [0]],
    ["{{ list | last }}", [90]],
    ["{{ list | where: 'name', 'b' | first }}", [0, 10, 20, 30, 40]],
    ["{{ list | sum: 'i' }}", [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]],
  ])("by %s no more than it needs", async (expression, expected) => {
    const { source } = await both(expression, list, 10);
    expect(source.read).toEqual(expected);
    expect(source.held).toBe(0);
  });

  test("what is left of it after filters is held, and counted", async () => {
    const { source } = await both("{{ list | where: 'name', 'b' | json }}", list, 10);
    expect(source.held).toBeLessThan(100);
  });
});

test.each([
  ["{{ list | sort: 'name' }}", false],
  ["{{ list }}", false],
  ["{{ list | json }}", false],
  ["{{ list | map: 'name' }}", true],
  ["{{ list | size }}", true],
])("%s is read page by page: %s", async (expression, expected) => {
  expect((await both(expression, [{ name: "a" }], 1)).byPage).toBe(expected);
});

test("a path that depends on others is found before it is read, one that depends on a for is its beginning", () => {
  const evaluation = evaluationOf([{ a: 1 }]);
  const pathsOf = (source: string): unknown[] =>
    compileValue(source, { at: "at", place: "text", optional: "allowed" }).compiled.reads.map((read) =>
      pathOf(read, evaluation).join("."),
    );
  expect(pathsOf("{{ list[0][wanted] }}")).toEqual(["wanted", "list.0.b"]);
  expect(pathsOf("{% for i in list %}{{ list[i] }}{% endfor %}")).toEqual(["list", "list"]);
});

test("an expression inside a for has none of its own: its filters may depend on what the for names", () => {
  const { reads } = compileValue("{% for i in list %}{{ list | where: 'i', i.i | size }}{% endfor %}", {
    at: "at",
    place: "text",
    optional: "allowed",
  }).compiled;
  expect(reads.map(({ chain }) => chain !== undefined)).toEqual([true, false]);
});
