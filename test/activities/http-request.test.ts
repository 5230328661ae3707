import { describe, expect, it } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { startApi, startRaw } from "../http/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine, type FinishedRun } from "../support/engine.ts";
import { connectTo, httpKind } from "../support/http.ts";
import { until } from "../support/until.ts";
import { createTestVault } from "../support/vault.ts";

const { pool } = await createTestDatabase();
const tandem = await startTestEngine(pool, { kinds: httpKind(pool) });
// Calls carry whose they are, signed by the installation.
await pool.query("insert into tandem.installation (id) values ($1)", [tandem.installation]);
const workspaceId = tandem.workspace.id;

const quickly = { maximumAttempts: 3, initialInterval: "10ms", maximumInterval: "20ms" };
let made = 0;

/** Runs one `http-request` by a connection to `baseUrl`. */
async function ask(
  baseUrl: string,
  input: JsonObject,
  {
    step = {},
    body = {},
    ...settings
  }: { step?: JsonObject; body?: JsonObject } & Partial<Parameters<typeof connectTo>[2]> = {},
): Promise<FinishedRun> {
  const key = `api-${(made += 1)}`;
  await connectTo(pool, workspaceId, { key, baseUrl, ...settings });
  const asks = { id: "ask", kind: "http-request", retry: quickly, input: { connection: key, ...input }, ...step };
  const workflow = await tandem.activate(definitionOf(`asks-${made}`, [asks]));
  return tandem.finished(await tandem.enqueue(workflow, body));
}

function errorOf(run: FinishedRun): JsonObject {
  return (run.steps[0]?.error ?? {}) as JsonObject;
}

describe("a request", () => {
  it("is built as data: its path encoded, its query and body whatever they hold", async () => {
    const api = await startApi((_, response) => response.setHeader("content-type", "application/json").end("{}"));
    const body = { name: `"},{"admin":true`, list: [1, null, { a: "ü" }] };
    await ask(
      `${api.url}/v1/`,
      {
        method: "POST",
        path: "/people/{{ trigger.body.id }}",
        query: { q: "{{ trigger.body.id }}", tag: ["a", "b"], none: null, yes: true },
        headers: { "X-Own": "{{ trigger.body.id }}" },
        body: { given: "{{ trigger.body.body }}" },
      },
      { body: { id: "a/b?c=d&e", body }, headers: { "x-usual": "u", "x-own": "usual" } },
    );
    const [asked] = api.asked;
    const url = new URL(asked?.url ?? "", api.url);
    expect(url.pathname).toBe("/v1/people/a%2Fb%3Fc%3Dd%26e");
    expect([...url.searchParams]).toEqual([
      ["q", "a/b?c=d&e"],
      ["tag", "a"],
      ["tag", "b"],
      ["yes", "true"],
    ]);
    expect(asked?.headers).toMatchObject({ "x-own": "a/b?c=d&e", "x-usual": "u", "content-type": "application/json" });
    expect(JSON.parse(asked?.body ?? "")).toEqual({ given: body });
  });

  it("carries a form, parts or text, each as its content type says", async () => {
    const api = await startApi((_, response) => response.end());
    await ask(api.url, { method: "POST", form: { a: "1 & 2", b: ["x", "y"] } });
    await ask(api.url, { method: "POST", text: "Hello {{ trigger.body.name }}" }, { body: { name: "Ada" } });
    await ask(api.url, {
      method: "POST",
      multipart: [
        { name: "note", text: "ü" },
        { name: "file", base64: "aGVsbG8=", filename: `a"b\r\nc.txt`, contentType: "text/csv" },
      ],
    });
    const [form, text, parts] = api.asked;
    expect([form?.headers["content-type"], form?.body]).toEqual([
      "application/x-www-form-urlencoded",
      "a=1+%26+2&b=x&b=y",
    ]);
    expect([text?.headers["content-type"], text?.body]).toEqual(["text/plain; charset=utf-8", "Hello Ada"]);
    const data = await new Response(parts?.body ?? "", {
      headers: { "content-type": parts?.headers["content-type"] ?? "" },
    }).formData();
    const file = data.get("file") as File;
    expect([data.get("note"), await file.text(), file.type, file.name]).toEqual([
      "ü",
      "hello",
      "text/csv",
      `a"b\r\nc.txt`,
    ]);
  });

  it("says under which key it is sent, where it is no repeatable method", async () => {
    const api = await startApi((_, response) => response.end());
    for (const method of ["GET", "PUT", "DELETE", "POST", "PATCH"]) await ask(api.url, { method });
    await ask(api.url, { method: "POST", headers: { "Idempotency-Key": "mine" } });
    const keys = api.asked.map(({ headers }) => headers["idempotency-key"]);
    expect(keys.slice(0, 3)).toEqual([undefined, undefined, undefined]);
    expect(keys.slice(3, 5)).toEqual([
      expect.stringMatching(/^[0-9a-f]{52}$/),
      expect.stringMatching(/^[0-9a-f]{52}$/),
    ]);
    expect(keys[5]).toBe("mine");
  });

  it("shows a secret where it is put, and is kept with a reference only", async () => {
    await createTestVault(pool).create({ workspaceId, name: "TOKEN", value: "sesame/&opened?" });
    const api = await startApi((request, response) =>
      response.setHeader("content-type", "application/json").end(JSON.stringify(request.headers)),
    );
    const run = await ask(api.url, {
      method: "POST",
      path: "/t/{{ secrets.TOKEN }}",
      query: { t: "{{ secrets.TOKEN }}" },
      headers: { "x-token": "Bearer {{ secrets.TOKEN }}" },
      body: { t: "{{ secrets.TOKEN }}" },
    });
    const [asked] = api.asked;
    expect(asked?.url).toBe("/t/sesame%2F%26opened%3F?t=sesame%2F%26opened%3F");
    expect(asked?.headers["x-token"]).toBe("Bearer sesame/&opened?");
    expect(JSON.parse(asked?.body ?? "")).toEqual({ t: "sesame/&opened?" });
    expect(run.status).toBe("completed");
    expect(JSON.stringify(run)).not.toContain("sesame");
  });

  it("shows no piece of a secret either, where what is said of it is cut", async () => {
    const value = `open-sesame-${"0123456789".repeat(8)}`;
    await createTestVault(pool).create({ workspaceId, name: "LONG", value });
    const api = await startApi((request, response) => {
      const said = "x ".repeat(140) + String(request.headers["x-token"]);
      const long = "x".repeat(65_500) + String(request.headers["x-token"]);
      response.writeHead(400, { "content-type": "application/json" }).end(JSON.stringify({ message: said, long }));
    });
    const headers = { "x-token": "{{ secrets.LONG }}" };
    const refused = await ask(api.url, { headers });
    const unwritten = await ask(api.url, { headers }, { step: { input: { url: "{{ secrets.LONG }}" } } });
    for (const run of [refused, unwritten]) expect(run.status).toBe("failed");
    expect(JSON.stringify([refused, unwritten])).not.toContain("open-s");
  });

  it("cannot set what belongs to the line, nor leave its connection's base URL", async () => {
    const api = await startApi((_, response) => response.end());
    await expect(ask(api.url, { headers: { Host: "evil.example" } })).rejects.toThrow(/set by the line itself/);
    await expect(ask(api.url, { url: "https://x.example/" })).rejects.toThrow(/either a "connection"/);
    await expect(ask(api.url, { body: {} })).rejects.toThrow(/GET or HEAD has no body/);
    await expect(ask(api.url, { conection: "x" })).rejects.toThrow(/did you mean "connection"/);
    const run = await ask(`${api.url}/v1`, { path: "/a/../../admin" });
    expect(errorOf(run)).toMatchObject({ code: "invalid-url" });
    const broken = await ask(
      api.url,
      { headers: { "x-a": "{{ trigger.body.a }}" } },
      { body: { a: "b\r\nx-evil: 1" } },
    );
    expect(broken.steps[0]?.error).toMatchObject({ code: "expression" });
    expect(api.asked).toEqual([]);
  });
});

describe("an answer", () => {
  const answers = async (status: number, type: string, body: string | Buffer): Promise<Json> => {
    const api = await startApi((_, response) =>
      response.writeHead(status, { "content-type": type, "X-Count": "2" }).end(body),
    );
    return (await ask(api.url, {})).steps[0]?.output ?? null;
  };

  it("is data where it says JSON, with integers beyond 2^53 as they are", async () => {
    expect(
      await answers(
        201,
        "application/vnd.api+json; charset=utf-8",
        `{"id": 9007199254740993, "n": 1.5, "t": "a\\u0000b"}`,
      ),
    ).toMatchObject({
      status: 201,
      headers: { "x-count": "2" },
      body: { id: "9007199254740993", n: 1.5, t: "a\u{fffd}b" },
    });
  });

  it("is text, base64 or nothing else", async () => {
    expect(await answers(200, "text/csv; charset=iso-8859-1", Buffer.from([0xe4, 0x2c]))).toMatchObject({ body: "ä," });
    expect(await answers(200, "text/html", `{"a": 1}`)).toMatchObject({ body: `{"a": 1}` });
    expect(await answers(200, "image/png", Buffer.from([1, 2, 255]))).toMatchObject({
      body: { base64: "AQL/", bytes: 3 },
    });
    expect(await answers(204, "application/json", "")).toMatchObject({ body: null });
  });

  it("is an error where it is no JSON, or not what gives declares", async () => {
    const html = await startApi((_, response) => response.setHeader("content-type", "application/json").end("<html>"));
    expect(errorOf(await ask(html.url, {}))).toMatchObject({ code: "invalid-response", attempts: 1 });
    const api = await startApi((_, response) =>
      response.setHeader("content-type", "application/json").end(`{"id": 7, "n": "x"}`),
    );
    const properties = { id: { type: "string" }, n: { type: "number" } };
    expect(errorOf(await ask(api.url, { gives: { type: "object", properties } }))).toMatchObject({
      code: "unexpected-body",
      message: expect.stringContaining("body.n must be number"),
    });
    const run = await ask(api.url, { gives: { type: "object", properties: { id: { type: "string" } } } });
    expect(run.steps[0]?.output).toMatchObject({ body: { id: "7" } });
  });

  it("that gives declares is what later steps may read of it", async () => {
    const gives = {
      type: "object",
      properties: { customer: { type: "object", properties: { name: { type: "string" } } } },
    };
    const asks = { id: "ask", kind: "http-request", input: { url: "https://api.example/", gives } };
    const reads = (path: string) =>
      tandem.activate(
        definitionOf(`reads-${(made += 1)}`, [asks, { id: "x", kind: "set", input: { y: `{{ ${path} }}` } }]),
      );
    await reads("ask.body.customer.name");
    await expect(reads("ask.body.custmer")).rejects.toThrow(/"ask.body" gives no "custmer"; did you mean "customer"/);
    await expect(reads("ask.body.customer.nmae")).rejects.toThrow(/did you mean "name"/);
  });

  it("has at most so many bytes as the step takes", async () => {
    const api = await startApi((_, response) => response.end("x".repeat(2_048)));
    expect(errorOf(await ask(api.url, { maximumBytes: 1_024 }))).toMatchObject({ code: "response-too-large" });
  });

  it("of a status that is no success is an error that has it, or a result where the step says so", async () => {
    const api = await startApi((_, response) =>
      response.writeHead(404, { "content-type": "application/json" }).end(`{"error": {"message": "No such invoice."}}`),
    );
    expect(errorOf(await ask(api.url, {}))).toMatchObject({
      code: "http-status",
      status: 404,
      attempts: 1,
      body: { error: { message: "No such invoice." } },
      message: expect.stringMatching(/answered 404: No such invoice\.$/),
    });
    expect((await ask(api.url, { success: ["2xx", 404] })).status).toBe("completed");
    const handled = {
      onError: {
        steps: [{ id: "told", kind: "set", input: { s: "{{ error.status }}", m: "{{ error.body.error.message }}" } }],
      },
    };
    const run = await ask(api.url, {}, { step: handled });
    expect(run.steps.find(({ path }) => path === "told")?.output).toEqual({ s: 404, m: "No such invoice." });
  });
});

describe("a call that fails", () => {
  /** Answers these statuses, one after the other; the last one stays. */
  const answering = (statuses: readonly number[], headers: Record<string, string> = {}) => {
    let before = 0;
    return startApi((_, response) =>
      response.writeHead(statuses[Math.min(before++, statuses.length - 1)] ?? 200, headers).end(),
    );
  };

  it("is tried again whatever it is, where the target says that it did nothing", async () => {
    for (const statuses of [
      [425, 200],
      [429, 200],
    ]) {
      const api = await answering(statuses);
      expect((await ask(api.url, { method: "POST" })).status).toBe("completed");
      expect(api.asked).toHaveLength(2);
    }
    const busy = await answering([503, 200], { "retry-after": "0" });
    expect((await ask(busy.url, { method: "POST" })).status).toBe("completed");
  });

  it("waits as long as the target asks, in seconds or until a date", async () => {
    for (const header of ["1", new Date(Date.now() + 3_000).toUTCString()]) {
      const api = await answering([429, 200], { "retry-after": header });
      const begun = performance.now();
      expect((await ask(api.url, {})).status).toBe("completed");
      expect(performance.now() - begun).toBeGreaterThan(990);
    }
  });

  it("is tried again after a failure in between where that is safe, and else is of unknown outcome", async () => {
    for (const status of [408, 500, 502, 503, 504]) {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const api = await answering([status, 200]);
        expect([status, method, (await ask(api.url, { method })).status]).toEqual([status, method, "completed"]);
      }
      const api = await answering([status, 200]);
      expect([status, errorOf(await ask(api.url, { method: "POST" }))["code"]]).toEqual([status, "outcome-unknown"]);
      expect(api.asked).toHaveLength(1);
      const keyed = await answering([status, 200]);
      expect((await ask(keyed.url, { method: "POST" }, { honoursIdempotencyKey: true })).status).toBe("completed");
      expect(new Set(keyed.asked.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
      const safe = await answering([status, 200]);
      expect((await ask(safe.url, { method: "POST", repeatable: true })).status).toBe("completed");
    }
  }, 120_000);

  it("of which nobody knows whether the target acted is handled as outcome-unknown", async () => {
    const broken = await startRaw((socket) => socket.destroy());
    const handled = {
      onError: {
        codes: ["outcome-unknown"],
        steps: [{ id: "told", kind: "set", input: { code: "{{ error.code }}" } }],
      },
    };
    const run = await ask(broken.url, { method: "POST" }, { step: handled });
    expect([run.status, run.steps.find(({ path }) => path === "told")?.output]).toEqual([
      "completed",
      { code: "outcome-unknown" },
    ]);
  });

  it("is final with any other status", async () => {
    for (const status of [400, 401, 403, 409, 410, 422, 501 - 100]) {
      const api = await answering([status, 200]);
      expect(errorOf(await ask(api.url, { method: "POST" }))).toMatchObject({
        code: "http-status",
        status,
        attempts: 1,
      });
    }
  });

  it("that reached nobody is tried again, and nothing was sent", async () => {
    expect(errorOf(await ask("http://127.0.0.1:1", { method: "POST" }))).toMatchObject({
      code: "not-connected",
      attempts: 3,
    });
  });

  it("ends with its run within three seconds of a cancel", async () => {
    const api = await startApi(() => {});
    const key = `api-${(made += 1)}`;
    await connectTo(pool, workspaceId, { key, baseUrl: api.url });
    const asks = { id: "ask", kind: "http-request", input: { connection: key, method: "POST" } };
    const workflow = await tandem.activate(definitionOf(`asks-${made}`, [asks]));
    const runId = await tandem.enqueue(workflow, {});
    await until("the call to hang", () => api.asked.length === 1);
    const begun = performance.now();
    await cancelRun(pool, { workspaceId, runId });
    tandem.ring();
    const run = await tandem.finished(runId);
    expect([run.status, performance.now() - begun < 3_000]).toEqual(["cancelled", true]);
  });

  it("ends with its time", async () => {
    const silent = await startRaw(() => {});
    expect(errorOf(await ask(silent.url, {}, { step: { timeout: "300ms" } }))).toMatchObject({
      code: "timeout",
      attempts: 3,
    });
    const run = await ask(silent.url, { method: "POST" }, { step: { timeout: "300ms" } });
    expect(errorOf(run)).toMatchObject({ code: "outcome-unknown" });
  });
});
