import { afterAll } from "vitest";
import { createLog } from "../../src/log.ts";
import { createRelay } from "../../src/runs/relay.ts";
import { createSettler } from "../../src/runs/settler.ts";
import type { SqlPool } from "../../src/sql.ts";
import { recordKinds } from "./engine.ts";

const log = createLog("test", "fatal");

/** A relay and a settler over a test's database, as a worker has them; stopped after the file. */
export function startRelaying(pool: SqlPool, runsStarted?: () => void): void {
  const parts = { pool, log, kinds: recordKinds, ...(runsStarted === undefined ? {} : { runsStarted }) };
  const loops = [createRelay({ ...parts, pollMs: 20 }), createSettler(parts)];
  for (const loop of loops) loop.start();
  afterAll(async () => {
    for (const loop of loops) await loop.stop();
  });
}
