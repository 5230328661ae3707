import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createId } from "../../src/ids.ts";
import { createStartWindow } from "../../src/runs/start-window.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue, insertWorkflow, insertWorkspace } from "../support/rows.ts";

const { pool } = await createTestDatabase();
const workspaceId = await insertWorkspace(pool);
const workflow = await insertWorkflow(pool, workspaceId, "started");

beforeEach(() => vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => vi.useRealTimers());

function fill(): { window: ReturnType<typeof createStartWindow>; ids: string[]; rang: () => number } {
  let rang = 0;
  const window = createStartWindow({ roomMade: () => void (rang += 1) });
  const ids: string[] = [];
  while (window.free() > 0) {
    ids.push(createId());
    window.add(ids.at(-1)!);
  }
  return { window, ids, rang: () => rang };
}

test("holds a few runs, and has room again for each that is taken up", () => {
  const { window, ids, rang } = fill();
  expect(ids).toHaveLength(8);
  window.remove(createId());
  expect([window.free(), rang()]).toEqual([0, 0]);
  window.remove(ids[0]!);
  window.remove(ids[0]!);
  expect([window.free(), rang()]).toEqual([1, 1]);
});

test("learns from the ledger what another process's worker took up", async () => {
  const window = createStartWindow({ roomMade() {} });
  const run = (): Promise<string> => enqueue(pool, { workspaceId, ...workflow });
  const [sealed, tried, closed, untouched] = [await run(), await run(), await run(), await run()];
  await pool.query("update tandem.runs set status = 'running' where id <> $1", [closed]);
  await pool.query("update tandem.runs set status = 'completed' where id = $1", [closed]);
  await pool.query(
    `insert into tandem.step_results (run_id, path, kind, status, verdict, lane, started_at) values ($1, 'a', 'set', 'done', '{}', 'quick', now())`,
    [sealed],
  );
  await pool.query("insert into tandem.step_attempts (run_id, path, number) values ($1, 'a', 1)", [tried]);
  for (const id of [sealed, tried, closed, untouched]) window.add(id);
  await window.lookAfter(pool);
  expect(window.free()).toBe(4);
  vi.setSystemTime(Date.now() + 100);
  await window.lookAfter(pool);
  expect(window.free()).toBe(7);
  // Whatever became of it: it does not hold up the others for long.
  vi.setSystemTime(Date.now() + 6_000);
  await window.lookAfter(pool);
  expect(window.free()).toBe(8);
});
