import { expect, test } from "vitest";
import { createUnsealed } from "../../../src/activities/block/unsealed.ts";
import type { StepRow } from "../../../src/runs/ledger.ts";
import type { Json } from "../../../src/json.ts";

const rowOf = (path: string, output: Json): StepRow => ({
  path,
  kind: "set",
  status: "done",
  outcome: null,
  verdict: { kind: "done" },
  input: null,
  output,
  error: null,
  attempts: 1,
  attempt: null,
  lane: "quick",
  startedAt: new Date(),
  endedAt: new Date(),
});

/** Walks of steps that write nothing: what each seals before its next step, by how many rows that are. */
async function sealedBy(walks: readonly string[], { steps, output }: { steps: number; output: Json }) {
  const seals: number[] = [];
  const unsealed = createUnsealed(async (rows) => void seals.push(rows.length));
  for (let number = 0; number < steps; number++) {
    for (const lane of walks) {
      await unsealed.sealAround(lane);
      unsealed.add(lane, rowOf(`step${lane}.${number}`, output));
    }
  }
  return { seals, left: unsealed.all().length };
}

test("what writes nothing waits for the next write, and not all of a long loop at once", async () => {
  expect(await sealedBy([""], { steps: 400, output: "small" })).toEqual({ seals: [], left: 400 });
  const many = await sealedBy([""], { steps: 2_000, output: "small" });
  expect(many.seals.length).toBeGreaterThan(2);
  expect(many.left).toBeLessThan(1_000);
  const large = await sealedBy([""], { steps: 100, output: "x".repeat(500_000) });
  expect(Math.max(...large.seals)).toBeLessThan(20);
  expect(large.left).toBeLessThan(20);
});

test("what a walk seals since it is much is its own only: the others may be writing theirs", async () => {
  const { seals, left } = await sealedBy([".0", ".1"], { steps: 30, output: "x".repeat(500_000) });
  expect(Math.max(...seals)).toBeLessThan(20);
  expect(seals.reduce((sum, rows) => sum + rows, 0) + left).toBe(60);
});
