import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { createLog } from "../../../src/log.ts";
import { chooseFreePort } from "../../../src/supervisor/ports.ts";
import { getTemporalBinary } from "../../../src/supervisor/temporal-binary.ts";
import { startTemporal, stopTemporal, type TemporalServer } from "../../../src/supervisor/temporal.ts";
import { createScheduleLoops } from "../../../src/worker/schedules.ts";
import { createSchedules } from "../../../src/worker/schedules/temporal.ts";
import { connectTemporal } from "../../../src/worker/temporal.ts";
import { startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { recordKinds } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { scheduled } from "./support.ts";

/** A Temporal of this file's own, which can be ended and started again, on its file or without. */
const directory = await mkdtemp(join(tmpdir(), "tandem-test-"));
const port = await chooseFreePort();
const uiPort = await chooseFreePort([port]);
const say = (): void => {};
const binary = await getTemporalBinary({ environment: process.env, say });
const start = (): Promise<TemporalServer> =>
  startTemporal({ binary, directory, port, uiPort, namespace: "default", say });
let server = await start();
afterAll(async () => {
  await stopTemporal(server);
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
});
process.env["TEMPORAL_ADDRESS"] = server.address;
const link = await connectTemporal("default");
afterAll(() => link.connection.close());
const installation = "downtime";
const schedules = createSchedules(link, installation);

describe("when Temporal is away", () => {
  test("changes wait, and one that has lost its file has all of them again", async () => {
    const { pool } = await createTestDatabase();
    const { call, workspaceId } = await startGateway(pool);
    const log = createLog("test", "fatal");
    const startLoops = () => {
      const loops = createScheduleLoops({ pool, kinds: recordKinds, link, installation, log, enqueued: () => {} });
      loops.start();
      return loops;
    };
    const loops = startLoops();
    afterAll(() => loops.stop());
    const install = async (key: string): Promise<string> => {
      const { body } = await call("POST", "/api/workflows", {
        body: scheduled(key, { every: { days: 1, at: "07:30" } }),
      });
      const id = String(body["id"]);
      expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
      return id;
    };
    const find = (key: string) => schedules.find(`${installation}-${workspaceId.slice(-10)}-${key}-clock`);
    await install("stays");
    const paused = await install("paused");
    const dropped = await install("dropped");
    await call("POST", `/api/workflows/${paused}/schedules/clock/pause`, { body: { note: "In stocktaking" } });
    const before = await until("all are there", async () => {
      const [one, two, three] = await Promise.all([find("stays"), find("paused"), find("dropped")]);
      return two?.paused === true && three !== undefined ? one : undefined;
    });

    await stopTemporal(server);
    await rm(directory, { recursive: true });
    await install("new");
    expect((await call("POST", `/api/workflows/${dropped}/deactivate`)).status).toBe(200);
    server = await start();

    const after = await until("they are there again", async () => {
      // As a worker that starts, or after a minute.
      await startLoops().stop();
      const [one, two, three] = await Promise.all([find("stays"), find("paused"), find("new")]);
      return one === undefined || two === undefined || three === undefined ? undefined : { one, two };
    });
    expect(after.one).toEqual(before);
    expect(after.two).toMatchObject({ paused: true, note: "In stocktaking" });
    expect(await find("dropped")).toBeUndefined();
  });

  test(
    "what it missed within the catch-up time is rung for once with the moment that was meant, what is older never",
    { timeout: 120_000 },
    async () => {
      const id = `${installation}-seconds`;
      const wanted = {
        id,
        spec: { intervals: [{ every: 1_000 }] },
        catchUpMs: 10_000,
        input: { workflowId: "", triggerId: "" },
        note: "",
        memo: {},
      };
      await schedules.create(wanted, { paused: false, note: "" });
      /** Seconds that were rung for, in order, as the ids and the search attributes of what was started say. */
      const rung = async (): Promise<number[]> => {
        const found: number[] = [];
        for await (const { workflowId, searchAttributes } of link.client.workflow.list({
          query: `TemporalScheduledById = '${id}'`,
        })) {
          const [at] = searchAttributes["TemporalScheduledStartTime"] as Date[];
          expect(workflowId).toBe(`${id}-${at!.toISOString().slice(0, 19)}Z`);
          found.push(at!.getTime() / 1_000);
        }
        return found.toSorted((a, b) => a - b);
      };
      const lastBefore = (
        await until("some rings", async () => {
          const seconds = await rung();
          return seconds.length >= 3 ? seconds : undefined;
        })
      ).at(-1)!;
      await stopTemporal(server);
      const stopped = Date.now() / 1_000;
      await until("more than the catch-up time is over", () => Date.now() / 1_000 > stopped + 16);
      server = await start();
      const seconds = await until(
        "rings of now",
        async () => {
          const found = await rung().catch(() => []);
          return (found.at(-1) ?? 0) > stopped + 18 ? found : undefined;
        },
        60_000,
      );
      await schedules.remove(id);
      expect(new Set(seconds).size).toBe(seconds.length);
      const after = seconds.filter((second) => second > stopped + 1);
      // Whoever starts an hour late finds the same: a gap, then without one all of the catch-up time and what follows.
      expect(after[0]! - lastBefore).toBeGreaterThan(4);
      expect(after).toEqual(after.map((_, position) => after[0]! + position));
    },
  );
});
