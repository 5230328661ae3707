import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { judgeLine, type Standing, type Verdict } from "../../src/runs/line.ts";
import { whenBusyPolicies } from "../../src/definition/schema.ts";

type Of = Partial<Omit<Standing, "id">>;

/** Runs of one key, the oldest first: ids by their number. */
function runs(...of: readonly Of[]): Standing[] {
  return of.map((one, number) => ({
    id: idOf(number),
    limit: 1,
    whenBusy: "queue",
    place: "new",
    started: false,
    cancelling: false,
    ...one,
  }));
}

function idOf(number: number): string {
  return String(number).padStart(4, "0");
}

/** `goes waits skipped:busy …`, in the order of ids; `-` where nothing is said. */
function judge(standing: readonly Standing[]): string {
  const verdicts = new Map(judgeLine("ada", standing).map((verdict) => [verdict.id, verdict]));
  return standing.map(({ id }) => say(verdicts.get(id))).join(" ");
}

function say(verdict: Verdict | undefined): string {
  if (verdict === undefined) return "-";
  return "reason" in verdict ? `${verdict.kind}:${verdict.reason.code}` : verdict.kind;
}

const started: Of = { place: "holds", started: true };
const ready: Of = { place: "holds" };
const inLine: Of = { place: "in-line" };

describe("a run whose key has no room", () => {
  test("waits its turn with `queue`", () => {
    expect(judge(runs(started, {}, {}))).toBe("- waits waits");
    expect(judge(runs(inLine, inLine, {}))).toBe("goes - waits");
  });

  test("is skipped with `skip`, and is told who holds the key", () => {
    const whenBusy = "skip";
    expect(judge(runs({ whenBusy }, { whenBusy }))).toBe("goes skipped:busy");
    expect(judge(runs({ ...started, whenBusy, limit: 2 }, { whenBusy, limit: 2 }, { whenBusy, limit: 2 }))).toBe(
      "- goes skipped:busy",
    );
    expect(judgeLine("ada", runs(started, { whenBusy }))).toMatchObject([
      {
        reason: { code: "busy", message: `Run ${idOf(0)} holds the concurrency key "ada", which lets 1 go at once.` },
      },
    ]);
  });

  test("is the only one to wait with `queue-latest`", () => {
    const whenBusy = "queue-latest";
    expect(judge(runs(started, { ...inLine, whenBusy }, { whenBusy }, { whenBusy }))).toBe(
      "- skipped:superseded skipped:superseded waits",
    );
    expect(judge(runs({ whenBusy }, { whenBusy }, { whenBusy }))).toBe("goes skipped:superseded waits");
  });

  test("takes the place of the oldest with `replace`: started ones are cancelled, others skipped", () => {
    const whenBusy = "replace";
    expect(judge(runs({ ...started, whenBusy }, { whenBusy }))).toBe("cancelled:replaced waits");
    expect(judge(runs({ ...ready, whenBusy }, { whenBusy }))).toBe("skipped:replaced goes");
    expect(judge(runs({ ...started, whenBusy, cancelling: true }, { ...inLine, whenBusy }, { whenBusy }))).toBe(
      "- skipped:replaced waits",
    );
    const limit = 2;
    expect(
      judge(
        runs(
          { ...started, whenBusy, limit },
          { ...started, whenBusy, limit },
          { whenBusy, limit },
          { whenBusy, limit },
        ),
      ),
    ).toBe("cancelled:replaced cancelled:replaced waits waits");
  });

  test("that comes to be known late, behind newer ones, is itself the one in excess", () => {
    expect(judge(runs({ whenBusy: "replace" }, { ...started, whenBusy: "replace" }))).toBe("skipped:replaced -");
    expect(judge(runs(started, { whenBusy: "queue-latest" }, { ...inLine, whenBusy: "queue-latest" }))).toBe(
      "- skipped:superseded -",
    );
  });
});

describe("workflows that share a key and differ in what they do when it is busy", () => {
  test("push out nobody but their own kind", () => {
    expect(judge(runs(started, inLine, { whenBusy: "queue-latest" }))).toBe("- - waits");
    expect(judge(runs(started, inLine, { whenBusy: "replace" }))).toBe("- - waits");
    expect(judge(runs({ ...started, whenBusy: "replace" }, {}))).toBe("- waits");
  });

  test("overtake nobody who stands in line before them", () => {
    expect(judge(runs(started, { ...inLine, limit: 1 }, { limit: 5 }))).toBe("- - waits");
    expect(judge(runs(started, { ...inLine, limit: 1 }, { limit: 5, whenBusy: "skip" }))).toBe("- - skipped:busy");
  });
});

test("the head of a line that is judged again goes before those behind it", () => {
  expect(judge(runs({}, inLine, inLine))).toBe("goes - -");
});

/** What a run is after its verdict, as the next judgement reads it; undefined: it is over. */
function after(run: Standing, verdict: Verdict | undefined): Standing | undefined {
  switch (verdict?.kind) {
    case "goes":
      return { ...run, place: "holds" };
    case "waits":
      return { ...run, place: "in-line" };
    case "skipped":
      return undefined;
    case "cancelled":
      return { ...run, cancelling: true };
    case undefined:
      return run;
  }
}

function pass(standing: readonly Standing[]): Standing[] {
  const verdicts = new Map(judgeLine("ada", standing).map((verdict) => [verdict.id, verdict]));
  return standing.flatMap((run) => after(run, verdicts.get(run.id)) ?? []);
}

const arrivals = fc.array(
  fc.record({
    limit: fc.integer({ min: 1, max: 3 }),
    whenBusy: fc.constantFrom(...whenBusyPolicies),
    starts: fc.boolean(),
    closes: fc.boolean(),
  }),
  { maxLength: 30 },
);

test("how many are judged in one pass makes no difference", () => {
  fc.assert(
    fc.property(arrivals, (of) => {
      const all = runs(...of.map(({ limit, whenBusy }) => ({ limit, whenBusy })));
      const oneByOne = all.reduce<Standing[]>((standing, run) => pass([...standing, run]), []);
      expect(oneByOne).toEqual(pass(all));
    }),
    { seed: 6, numRuns: 500 },
  );
});

test("whatever comes and goes, the limits hold, the line moves, and each policy keeps its promise", () => {
  fc.assert(
    fc.property(arrivals, (of) => {
      let standing: Standing[] = [];
      for (const [number, { limit, whenBusy, starts, closes }] of of.entries()) {
        const [run] = runs({ limit, whenBusy });
        standing = pass([...standing, { ...run!, id: idOf(number) }]);
        const holding = standing.filter(({ place }) => place === "holds");
        const line = standing.filter(({ place }) => place === "in-line");
        expect(holding.length).toBeLessThanOrEqual(Math.max(...holding.map((one) => one.limit), 0));
        expect(standing.filter((one) => one.place === "new")).toEqual([]);
        expect(line.filter((one) => one.whenBusy === "skip")).toEqual([]);
        expect(line.filter((one) => one.whenBusy === "queue-latest").length).toBeLessThanOrEqual(1);
        // Nobody waits who could go.
        expect(holding.length).toBeGreaterThanOrEqual(line[0]?.limit ?? 0);
        // Whoever queues is neither dropped nor cancelled.
        expect(standing.filter((one) => one.whenBusy === "queue" && one.cancelling)).toEqual([]);
        if (starts) standing = standing.map((one) => (one.place === "holds" ? { ...one, started: true } : one));
        if (closes) standing = standing.filter((one) => one !== standing.find(({ started: going }) => going));
        standing = standing.map((one, position) =>
          position === standing.findIndex(({ place }) => place === "in-line") ? { ...one, place: "new" } : one,
        );
        standing = pass(standing);
      }
    }),
    { seed: 6, numRuns: 500 },
  );
});
