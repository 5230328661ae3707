import type { IncomingMessage, ServerResponse } from "node:http";
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { listOnce } from "../../src/runs/once/list.ts";
import { startApi } from "../http/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { connectTo, httpKind } from "../support/http.ts";

const { pool } = await createTestDatabase();
const tandem = await startTestEngine(pool, { kinds: httpKind(pool) });
// Calls carry whose they are, signed by the installation.
await pool.query("insert into tandem.installation (id) values ($1)", [tandem.installation]);
const workspaceId = tandem.workspace.id;
let made = 0;

describe("a call that is done once under a value", () => {
  /** Two runs of one workflow that asks under the value; its state after each, and what was asked. */
  async function askTwice(
    answer: (before: number, response: ServerResponse, request: IncomingMessage) => void,
    input: JsonObject = {},
    settings: Partial<Parameters<typeof connectTo>[2]> = {},
  ) {
    let before = 0;
    const api = await startApi((request, response) => answer(before++, response, request));
    const key = `api-${(made += 1)}`;
    await connectTo(pool, workspaceId, { key, baseUrl: api.url, ...settings });
    const retry = { maximumAttempts: 2, initialInterval: "10ms" };
    const asks = {
      id: "ask",
      kind: "http-request",
      once: "x",
      retry,
      input: { connection: key, method: "POST", ...input },
    };
    const workflow = await tandem.activate(definitionOf(`asks-${made}`, [asks]));
    const runs = [];
    for (let run = 0; run < 2; run++) {
      const { steps } = await tandem.finished(await tandem.enqueue(workflow, {}));
      const [value] = await listOnce(pool, { workspaceId, workflowId: workflow.workflowId, limit: 1 });
      runs.push({ code: (steps[0]?.error as JsonObject | null)?.["code"], state: value?.state });
    }
    return { runs, asked: api.asked, keys: new Set(api.asked.map(({ headers }) => headers["idempotency-key"])) };
  }

  it("is not made again where it was answered as no refusal is, whatever is wrong with the answer", async () => {
    const json = { "content-type": "application/json" };
    const wrong: Array<[code: string, input: JsonObject, answer: (response: ServerResponse) => void]> = [
      ["unexpected-body", { gives: { type: "array" } }, (response) => response.writeHead(200, json).end("{}")],
      ["invalid-response", {}, (response) => response.writeHead(200, json).end("<html>")],
      ["response-too-large", { maximumBytes: 1_024 }, (response) => response.end("x".repeat(2_048))],
      ["http-status", { success: [201] }, (response) => response.writeHead(202).end()],
      ["redirect-refused", {}, (response) => response.writeHead(303, { location: "http://[" }).end()],
    ];
    for (const [code, input, answer] of wrong) {
      const { runs, asked } = await askTwice((_, response) => answer(response), input);
      expect([runs, asked.length]).toEqual([
        [
          { code, state: "unsure" },
          { code: "outcome-unknown", state: "unsure" },
        ],
        1,
      ]);
    }
  });

  it("is free where the target refused it", async () => {
    const { runs, keys } = await askTwice((before, response) => response.writeHead(before === 0 ? 422 : 200).end());
    expect(runs).toEqual([
      { code: "http-status", state: undefined },
      { code: undefined, state: "done" },
    ]);
    expect(keys.size).toBe(2);
  });

  it("keeps its key where an earlier attempt was not answered, and a later one was only turned away", async () => {
    for (const [status, times] of [
      [401, 1],
      [409, 1],
      [429, 2],
    ] as const) {
      const answer = (before: number, response: ServerResponse): void => {
        if (before === 0) response.destroy();
        else response.writeHead(before <= times ? status : 200).end();
      };
      const { runs, asked, keys } = await askTwice(answer, {}, { honoursIdempotencyKey: true });
      expect([status, runs.map(({ state }) => state), asked.length, keys.size]).toEqual([
        status,
        ["unsure", "done"],
        times + 2,
        1,
      ]);
    }
  });

  it("was done when it was redirected to what is asked for then, which may refuse as it likes", async () => {
    for (const status of [401, 404, 429, 500]) {
      const { runs, asked } = await askTwice((_, response, { url }) =>
        response.writeHead(url === "/" ? 303 : status, { location: "/done" }).end(),
      );
      expect([status, runs, asked.map(({ method }) => method)]).toEqual([
        status,
        [
          { code: "outcome-unknown", state: "unsure" },
          { code: "outcome-unknown", state: "unsure" },
        ],
        ["POST", "GET"],
      ]);
    }
  });
});
