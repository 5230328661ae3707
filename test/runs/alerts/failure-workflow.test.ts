import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../src/json.ts";
import { hookDefinition, startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { endRun, installHandler, mailsOf, reviewAll, reviewParts, startedBy } from "./support.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { call, install } = gateway;
const parts = reviewParts(pool);
await call("PUT", "/api/settings", { body: { alertAddresses: ["ops@example.com"] } });
const start = new Date("2026-01-01T09:00:00Z");

const everything: JsonObject = {
  workflow: { type: "text" },
  workflowName: { type: "text" },
  run: { type: "text", required: true },
  step: { type: "text" },
  code: { type: "text" },
  message: { type: "text" },
  attempts: { type: "number" },
  failedAt: { type: "dateTime" },
  link: { type: "url" },
};

async function failing(key: string, workflow: string): Promise<string> {
  return (await install(hookDefinition(key, {}, { name: "Failing", onFailure: { workflow } }))).id;
}

describe("the workflow that failures start", () => {
  test("gets each failure as the inputs that it asks for, at once", async () => {
    await installHandler(gateway, "all", everything);
    await installHandler(gateway, "some", { message: { type: "text" }, note: { type: "text", default: "hm" } });
    const [toAll, toSome] = [await failing("a", "all"), await failing("b", "some")];
    const run = await endRun(pool, toAll, { at: start });
    await endRun(pool, toAll, { at: start });
    await endRun(pool, toSome, { at: start });
    expect(await reviewAll(parts, start)).toEqual({ mails: 2, runs: 3 });
    const [first, ...others] = await startedBy(pool, toAll);
    expect(others).toHaveLength(1);
    expect(first).toMatchObject({
      status: "queued",
      depth: 1,
      launchedBy: { kind: "failure", workflow: "a", run },
      inputs: {
        workflow: "a",
        workflowName: "Failing",
        run,
        step: "tell",
        code: "timeout",
        message: 'Step "tell" failed after 3 attempts: It took too long.',
        attempts: 3,
        failedAt: "2026-01-01T09:00:00.000Z",
        link: `https://crm.example/api/runs/${run}`,
      },
    });
    expect((await startedBy(pool, toSome))[0]?.inputs).toEqual({
      message: expect.stringContaining("too long"),
      note: "hm",
    });
  });

  test("is started by no failure of a run that a failure started, whoever's it is", async () => {
    await installHandler(gateway, "ping", everything, { onFailure: {} });
    const pong = await installHandler(gateway, "pong", everything, { onFailure: { workflow: "ping" } });
    const launchedBy = { kind: "failure", workflow: "ping", run: "x" };
    await endRun(pool, pong, { at: start, launchedBy });
    await endRun(pool, pong, { at: start, launchedBy: { kind: "api-key" } });
    expect(await reviewAll(parts, start)).toEqual({ mails: 1, runs: 1 });
    expect((await mailsOf(pool, pong))[0]?.subject).toContain("failed 2 times");
  });

  test("is not started by a loop that was stopped", async () => {
    await installHandler(gateway, "calm", everything);
    const id = await failing("looping", "calm");
    await endRun(pool, id, { at: start, status: "stopped-as-loop", error: { code: "loop", message: "Stopped." } });
    expect(await reviewAll(parts, start)).toEqual({ mails: 1, runs: 0 });
  });

  test("and cannot be started is named in the mail, with the reason", async () => {
    const handler = await installHandler(gateway, "gone", everything);
    const id = await failing("lonely", "gone");
    await call("POST", `/api/workflows/${handler}/deactivate`);
    await endRun(pool, id, { at: start });
    expect(await reviewAll(parts, start)).toEqual({ mails: 1, runs: 0 });
    expect((await mailsOf(pool, id))[0]?.body).toContain('The workflow "gone" was not started: it is not active.');
  });
});

describe("activation", () => {
  const issuesOf = async (key: string, onFailure: JsonObject): Promise<unknown> => {
    const made = await call("POST", "/api/workflows", { body: hookDefinition(key, {}, { onFailure }) });
    if (made.status !== 201) return made.body["issues"];
    return (await call("POST", `/api/workflows/${String(made.body["id"])}/activate`)).body["issues"];
  };

  test.each<[string, JsonObject, string]>([
    [
      "requires what no failure gives",
      { steps: { type: "text", required: true } },
      '"h1" requires "steps", which no failure gives; did you mean "step"?',
    ],
    [
      "takes a failure's value as another type",
      { failedAt: { type: "number" } },
      '"h2" takes "failedAt" as number; a failure gives it as dateTime',
    ],
    [
      "takes a number as text",
      { attempts: { type: "text" } },
      '"h3" takes "attempts" as text; a failure gives it as number',
    ],
  ])("refuses a workflow that %s", async (_what, inputs, message) => {
    const key = /"(h\d)"/.exec(message)?.[1] ?? "";
    await installHandler(gateway, key, inputs);
    const [name] = Object.keys(inputs);
    expect(await issuesOf(`of-${key}`, { workflow: key })).toEqual([
      { path: `onFailure.workflow.inputs.${name}`, message },
    ]);
  });

  test("refuses a workflow that cannot be launched for nothing in particular, its own key, and unknown ones", async () => {
    await install(hookDefinition("hooked"));
    const path = "onFailure.workflow";
    expect(await issuesOf("c", { workflow: "hooked" })).toMatchObject([
      { path, message: expect.stringContaining("no manual trigger") },
    ]);
    expect(await issuesOf("d", { workflow: "d" })).toMatchObject([
      { path, message: expect.stringContaining("its own failure") },
    ]);
    expect(await issuesOf("e", { workflow: "hookd" })).toMatchObject([
      { path, message: expect.stringContaining('did you mean "hooked"?') },
    ]);
  });
});
