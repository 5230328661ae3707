import { once } from "node:events";
import { expect, test } from "vitest";
import { startApi } from "../http/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { connectTo, httpKind } from "../support/http.ts";
import { until } from "../support/until.ts";
import { testMasterKeyText } from "../support/vault.ts";
import { startWorkerProcess } from "../support/worker-process.ts";

const calls = 300;
const perSecond = 10;

const { pool, url } = await createTestDatabase();
// It describes the workflow; the workers are processes of their own.
const engine = await startTestEngine(pool, { kinds: httpKind(pool), paused: true });

async function countRuns(condition: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*) from tandem.runs where ${condition}`);
  return rows[0]?.count ?? 0;
}

test(
  `${calls} calls of an API that takes ${perSecond} a second, by two workers of which one is killed, are refused by it never and go nearly as fast as it lets them`,
  { timeout: 300_000 },
  async () => {
    const arrivals: number[] = [];
    let refused = 0;
    const api = await startApi((_, response) => {
      const now = performance.now();
      // Over any stretch of a second, not by the clock's seconds.
      const recent = arrivals.filter((at) => now - at < 1_000).length;
      if (recent >= perSecond) refused += 1;
      arrivals.push(now);
      response.writeHead(recent >= perSecond ? 429 : 200).end();
    });
    await connectTo(pool, engine.workspace.id, {
      key: "rated",
      baseUrl: api.url,
      rate: { requests: perSecond, perMs: 1_000 },
      honoursIdempotencyKey: true,
    });
    const ask = {
      id: "ask",
      kind: "http-request",
      input: { connection: "rated", method: "POST", body: "{{ trigger.body }}" },
    };
    const workflow = await engine.activate(definitionOf("rated-calls", [ask]));
    await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
    for (let number = 0; number < calls; number++) await engine.enqueue(workflow, { number });
    const start = () =>
      startWorkerProcess({ DATABASE_URL: url, TEMPORAL_ADDRESS: engine.link.address, MASTER_KEY: testMasterKeyText() });
    const [killed] = [start(), start()];
    await until("half of the calls", () => arrivals.length >= calls / 2, 120_000);
    killed?.kill("SIGKILL");
    await once(killed!, "close");
    await until("all runs to be over", async () => (await countRuns("ended_at is null")) === 0, 120_000);

    expect(refused).toBe(0);
    expect(await countRuns("status = 'completed'")).toBe(calls);
    const numbers = new Set(api.asked.map(({ body }) => body));
    expect(numbers.size).toBe(calls);
    const seconds = (arrivals.at(-1)! - arrivals[0]!) / 1_000;
    process.stderr.write(
      `${calls} calls in ${seconds.toFixed(1)} s, ${arrivals.length - calls} repeated for the killed worker\n`,
    );
    expect(seconds).toBeGreaterThanOrEqual((calls - 1) / perSecond);
    expect(seconds).toBeLessThan((2 * calls) / perSecond);
    // Waiting for the rate is no try of the target's.
    const { rows } = await pool.query("select distinct attempts from tandem.step_results");
    expect(rows).toEqual([{ attempts: 1 }]);
  },
);
