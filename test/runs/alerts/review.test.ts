import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { hookDefinition, startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createDyingPool } from "../../support/disturbed-pool.ts";
import { endRun, endRuns, installHandler, mailsOf, reviewAll, reviewParts, startedBy, timeout } from "./support.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call, install } = gateway;
const parts = reviewParts(pool, ["sesame-open-now"]);
await call("PUT", "/api/settings", { body: { alertAddresses: ["ops@example.com"] } });

const start = new Date("2026-01-01T09:00:00Z");
const after = (minutes: number): Date => new Date(start.getTime() + minutes * 60_000);
let made = 0;

async function workflow(rest: JsonObject = {}): Promise<string> {
  const key = `flow-${++made}`;
  return (await install(hookDefinition(key, {}, { name: `Flow ${made}`, ...rest }))).id;
}

describe("a run that fails", () => {
  test("is told to the workspace's addresses, with run, step, reason, what to do and a link", async () => {
    const id = await workflow({ name: "Web form\nleads" });
    const run = await endRun(pool, id, { at: start });
    await reviewAll(parts, start);
    const [mail, ...others] = await mailsOf(pool, id);
    expect(others).toEqual([]);
    expect(mail).toMatchObject({ kind: "first", recipients: ["ops@example.com"], sentAt: null });
    expect(mail?.subject).toBe('"Web form leads" failed at step "tell": timeout');
    expect(mail?.messageId).toMatch(/^<alert\.[0-9a-f-]{36}@example\.org>$/);
    for (const said of [
      `Run: ${run}`,
      'Step "tell": timeout (2026-01-01T09:00:00.000Z, after 3 attempts)',
      'Reason: Step "tell" failed after 3 attempts: It took too long.',
      "What to do: Look at the other system",
      `https://crm.example/api/runs/${run}`,
      `https://temporal.example/namespaces/default/workflows/${run}`,
    ])
      expect(mail?.body).toContain(said);
  });

  test("is told once, the next ones together, and that it works again", async () => {
    const id = await workflow();
    await endRun(pool, id, { at: start });
    await reviewAll(parts, start);
    for (const minute of [1, 2, 3]) await endRun(pool, id, { at: after(minute) });
    await endRun(pool, id, { at: after(4), error: { code: "expression", message: "It is missing.", step: "x" } });
    await reviewAll(parts, after(5));
    expect(await mailsOf(pool, id)).toHaveLength(1);
    await reviewAll(parts, after(61));
    const digest = (await mailsOf(pool, id))[1];
    expect(digest).toMatchObject({ kind: "digest", subject: expect.stringContaining("failed 4 times") });
    expect(digest?.body).toContain(
      'Step "tell": timeout (3 times; the last: 2026-01-01T09:03:00.000Z, after 3 attempts)',
    );
    expect(digest?.body).toContain('Step "x": expression');
    await endRun(pool, id, { at: after(70), status: "completed" });
    await reviewAll(parts, after(125));
    const mails = await mailsOf(pool, id);
    expect(mails.map(({ kind }) => kind)).toEqual(["first", "digest", "resolved"]);
    expect(mails[2]?.body).toContain("a run completed at 2026-01-01T10:10:00.000Z. 5 times it had failed since");
    await reviewAll(parts, after(500));
    expect(await mailsOf(pool, id)).toHaveLength(3);
  });

  test.each([999, 9_999])(
    "is told, and starts its workflow, though its reason of %i letters is cut in the middle of a pair",
    async (letters) => {
      const key = `handler-${letters}`;
      await installHandler(gateway, key, { message: { type: "text" } });
      const id = await workflow({ onFailure: { workflow: key } });
      await endRun(pool, id, { at: start, error: { ...timeout, message: `${"x".repeat(letters)}\u{1f600}, it said` } });
      expect(await reviewAll(parts, start)).toEqual({ mails: 1, runs: 1 });
      expect(await startedBy(pool, id)).toHaveLength(1);
    },
  );

  test("as one of thousands makes one mail, and each workflow its own", async () => {
    const [many, one] = [await workflow(), await workflow()];
    await endRuns(
      pool,
      many,
      Array.from({ length: 450 }, (_, i) => ({ at: after(i / 60) })),
    );
    await endRun(pool, one, { at: start });
    await reviewAll(parts, after(10));
    await reviewAll(parts, after(80));
    expect((await mailsOf(pool, many)).map(({ subject }) => /failed (\d+) times/.exec(subject)?.[1])).toEqual([
      "200",
      "250",
    ]);
    expect(await mailsOf(pool, one)).toHaveLength(1);
  });

  test("as a loop that was stopped is told too, a cancelled or skipped one is not", async () => {
    const [loop, other] = [await workflow(), await workflow()];
    await endRun(pool, loop, {
      at: start,
      status: "stopped-as-loop",
      error: { code: "loop", message: "6 runs led to one another." },
    });
    await endRun(pool, other, { at: start, status: "completed" });
    await reviewAll(parts, start);
    expect((await mailsOf(pool, loop))[0]?.body).toContain("The run itself: loop");
    expect(await mailsOf(pool, other)).toEqual([]);
  });

  test("names no secret, whoever put it into the reason", async () => {
    const id = await workflow();
    const message = `The API says: ${Buffer.from("sesame-open-now").toString("base64")} and sesame-open-now.`;
    await endRun(pool, id, { at: start, error: { ...timeout, message, step: "sesame-open-now" } });
    await reviewAll(parts, start);
    const mail = JSON.stringify(await mailsOf(pool, id));
    expect(mail).toContain("[redacted]");
    expect(mail).not.toMatch(/sesame-open-now|c2VzYW1lLW9wZW4tbm93/);
  });

  test("before anybody was to be told is told when somebody is", async () => {
    const { call: callStranger, install: installThere } = await startGateway(pool);
    const { id } = await installThere(hookDefinition("silent"));
    await endRun(pool, id, { at: start });
    await reviewAll(parts, start);
    expect(await mailsOf(pool, id)).toEqual([]);
    expect((await callStranger("GET", "/api/alerts")).body["data"]).toMatchObject([
      {
        id,
        workflowKey: "silent",
        failures: 1,
        untold: 1,
        mail: null,
        groups: [{ step: "tell", code: "timeout", count: 1 }],
      },
    ]);
    await callStranger("PUT", "/api/settings", {
      body: { alertAddresses: ["they@example.com"], alertDigestMinutes: 5 },
    });
    await reviewAll(parts, after(60));
    expect(await mailsOf(pool, id)).toMatchObject([{ kind: "first", recipients: ["they@example.com"] }]);
  });
});

describe("a workflow that cannot be read any more", () => {
  test("is told of to the workspace, and keeps no other from being told of", async () => {
    const [broken, other] = [await workflow({ onFailure: { notify: "they@example.com" } }), await workflow()];
    await pool.query(`update tandem.workflow_versions set definition = '{"key":"x"}' where workflow_id = $1`, [broken]);
    for (const id of [broken, other]) await endRun(pool, id, { at: start });
    await reviewAll(parts, start);
    expect((await mailsOf(pool, broken))[0]?.recipients).toEqual(["ops@example.com"]);
    expect(await mailsOf(pool, other)).toHaveLength(1);
  });

  test("is named in the mail where a failure was to start it", async () => {
    const handler = await installHandler(gateway, "broken-handler", {});
    await pool.query(`update tandem.workflow_versions set definition = '{"key":"x"}' where workflow_id = $1`, [
      handler,
    ]);
    const id = await workflow({ onFailure: { workflow: "broken-handler" } });
    await endRun(pool, id, { at: start });
    expect(await reviewAll(parts, start)).toEqual({ mails: 1, runs: 0 });
    expect((await mailsOf(pool, id))[0]?.body).toContain("its active version cannot be read");
  });
});

describe("a workflow's onFailure", () => {
  test("says who is told in the place of the workspace's addresses, from the settings as they were", async () => {
    const settings = {
      team: { type: "emails", default: ["team@example.com"] },
      boss: { type: "email", default: "b@example.com" },
    };
    const notify = ["{{ settings.team }}", "{{ settings.boss }}", "B@example.com"];
    const id = await workflow({ settings, onFailure: { notify } });
    await endRun(pool, id, {
      at: start,
      settings: { team: ["x@example.com", "y@example.com"], boss: "b@example.com" },
    });
    await reviewAll(parts, start);
    expect((await mailsOf(pool, id))[0]?.recipients).toEqual(["x@example.com", "y@example.com", "B@example.com"]);
  });

  test("may say that nobody is told", async () => {
    const id = await workflow({ onFailure: { notify: [] } });
    await endRun(pool, id, { at: start });
    await reviewAll(parts, start);
    expect(await mailsOf(pool, id)).toEqual([]);
  });

  test("whose addresses cannot be read falls back on the workspace's, and says so", async () => {
    const settings = { team: { type: "emails", default: ["team@example.com"] } };
    const id = await workflow({ settings, onFailure: { notify: "{{ settings.team }}" } });
    await endRun(pool, id, { at: start, settings: {} });
    await reviewAll(parts, start);
    expect((await mailsOf(pool, id))[0]).toMatchObject({
      recipients: ["ops@example.com"],
      body: expect.stringContaining("the workflow's own addresses cannot be read"),
    });
  });
});

describe("a process that dies", () => {
  test.each([false, true])(
    "at any statement neither loses nor doubles what is told (done before it died: %s)",
    async (heard) => {
      await installHandler(gateway, `handler-${heard}`, { run: { type: "text", required: true } });
      let deaths = 0;
      for (let at = 1; ; at++) {
        const id = await workflow({ onFailure: { workflow: `handler-${heard}` } });
        const runs = [await endRun(pool, id, { at: start }), await endRun(pool, id, { at: after(1) })];
        const dying = createDyingPool(pool, { at, heard });
        await reviewAll({ ...parts, pool: dying.pool }, after(2)).catch(() => {});
        await Promise.all([reviewAll(parts, after(2)), reviewAll(parts, after(2))]);
        const [mail, ...others] = await mailsOf(pool, id);
        expect(others).toEqual([]);
        expect(mail?.subject).toContain("failed 2 times");
        const started = await startedBy(pool, id);
        expect(started.map(({ inputs }) => inputs["run"]).toSorted()).toEqual(runs.toSorted());
        if (!dying.died()) break;
        deaths += 1;
      }
      expect(deaths).toBeGreaterThan(8);
    },
  );
});

test("a round opens a workspace's secrets once, and for a mail only", async () => {
  const ids = [await workflow(), await workflow()];
  let opened = 0;
  const counting = {
    ...parts,
    async redactorOf(workspaceId: string) {
      opened += 1;
      return parts.redactorOf(workspaceId);
    },
  };
  for (const id of ids) await endRun(pool, id, { at: start });
  expect((await reviewAll(counting, start)).mails).toBe(2);
  expect(opened).toBe(1);
  for (const id of ids) await endRun(pool, id, { at: after(1) });
  await reviewAll(counting, after(1));
  expect(opened).toBe(1);
});
