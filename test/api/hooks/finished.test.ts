import { request as open } from "node:http";
import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { createFinishedRuns } from "../../../src/runs/finished.ts";
import { createPool } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { startTestEngine } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool, url } = await createTestDatabase();
const engine = await startTestEngine(pool);
const gateway = await startGateway(pool, { workspaceId: engine.workspace.id });
const { receive, send } = createReceiver(gateway);

/** The engine hears of runs by a bell that no test listens to. */
const ringing = (): (() => void) => {
  const timer = setInterval(() => engine.ring(), 20);
  return () => clearInterval(timer);
};

async function posted(hook: string, body: JsonObject) {
  const quiet = ringing();
  return send("POST", hook, { body }).finally(quiet);
}

const finished = { answer: { when: "finished" } };
const create = {
  id: "made",
  kind: "create-record",
  input: { object: "company", values: { name: "{{ trigger.body.name }}" } },
};

describe("a webhook that answers when the run is finished", () => {
  test("answers with the run's output", async () => {
    const { hook } = await receive(finished, {
      steps: [create],
      output: { id: "{{ made.id }}", n: "{{ trigger.body.n }}" },
    });
    const answer = await posted(hook, { name: "Analytical Engines", n: 7 });
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ id: expect.any(String), n: 7 });
  });

  test("answers null where the run gives nothing", async () => {
    const { hook } = await receive(finished);
    const answer = await posted(hook, {});
    expect([answer.status, answer.text]).toEqual([200, "null"]);
  });

  test("says that the run failed, by its code and id, and nothing of the inside", async () => {
    const { hook } = await receive(finished, { steps: [create] });
    const answer = await posted(hook, { nothing: "secret inside" });
    expect(answer.body).toMatchObject({
      status: 500,
      code: "run-not-completed",
      runId: expect.any(String),
      runStatus: "failed",
      runCode: "expression",
    });
    expect(answer.body["instance"]).toBe(`urn:uuid:${String(answer.body["runId"])}`);
    expect(answer.text).not.toMatch(/trigger\.body/);
  });

  test("answers one that came before with the output of then", async () => {
    const { hook } = await receive(
      { ...finished, dedupe: { path: "id" } },
      { steps: [create], output: { id: "{{ made.id }}" } },
    );
    const first = await posted(hook, { id: 1, name: "Once" });
    expect((await posted(hook, { id: 1, name: "Twice" })).body).toEqual(first.body);
  });

  test("answers fifty at once, of whom each waits for its own", async () => {
    const { hook } = await receive(finished, { output: { n: "{{ trigger.body.n }}" } });
    const quiet = ringing();
    const numbers = Array.from({ length: 50 }, (_, n) => n);
    const answers = await Promise.all(numbers.map((n) => send("POST", hook, { body: { n } }))).finally(quiet);
    expect(answers.map(({ body }) => body["n"])).toEqual(numbers);
  });

  test("answers 202 with the run's id when that takes longer", async () => {
    const { hook } = await receive({ answer: { when: "finished", within: "1s" } }, { concurrency: { key: "one" } });
    await pool.query("update tandem.workspaces set run_limit = 0 where id = $1", [engine.workspace.id]);
    const answer = await posted(hook, {});
    await pool.query("update tandem.workspaces set run_limit = 100 where id = $1", [engine.workspace.id]);
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ runId: expect.any(String), duplicate: false });
  });
});

describe("waiting for runs", () => {
  const never = "00000000-0000-7000-8000-000000000000";
  const alone = (): AbortSignal => new AbortController().signal;

  test("ends with the time, with the asker, and with the process", async () => {
    const watch = createFinishedRuns(pool);
    expect(await watch.wait(never, { withinMs: 20, signal: alone() })).toBeUndefined();
    const asker = new AbortController();
    const asked = watch.wait(never, { withinMs: 60_000, signal: asker.signal });
    asker.abort();
    expect(await asked).toBeUndefined();
    const waiting = watch.wait(never, { withinMs: 60_000, signal: alone() });
    watch.stop();
    expect(await waiting).toBeUndefined();
    expect(await watch.wait(never, { withinMs: 60_000, signal: alone() })).toBeUndefined();
  });

  test("is for so many at once, and others are let go", async () => {
    const watch = createFinishedRuns(pool, { most: 1 });
    const first = watch.wait(never, { withinMs: 60_000, signal: alone() });
    expect(await watch.wait(never, { withinMs: 60_000, signal: alone() })).toBeUndefined();
    watch.stop();
    await first;
  });

  test("holds no connection", async () => {
    const one = createPool({ url, max: 1, name: "test" });
    const watch = createFinishedRuns(one);
    const waiting = Array.from({ length: 20 }, () => watch.wait(never, { withinMs: 60_000, signal: alone() }));
    expect((await one.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    watch.stop();
    await Promise.all(waiting);
    await one.end();
  });

  test("asks nothing once the sender has hung up", async () => {
    const { hook } = await receive({ answer: { when: "finished" } });
    await pool.query("update tandem.workspaces set run_limit = 0 where id = $1", [engine.workspace.id]);
    const hanging = open(new URL(hook, gateway.url), {
      method: "POST",
      headers: { "content-type": "application/json" },
    });
    hanging.on("error", () => {});
    hanging.end("{}");
    const asks = async () => {
      const { rows } = await pool.query<{ n: number }>(
        "select count(*)::integer as n from pg_stat_activity where query like '%ended_at is not null%' and query like '%any(%' and pid <> pg_backend_pid() and query_start > now() - interval '300 milliseconds' and datname = current_database()",
      );
      return rows[0]!.n;
    };
    await until("the gateway asks for the run", async () => (await asks()) > 0);
    hanging.destroy();
    expect(await until("the gateway asks no more", async () => (await asks()) === 0)).toBe(true);
    await pool.query("update tandem.workspaces set run_limit = 100 where id = $1", [engine.workspace.id]);
  });
});
