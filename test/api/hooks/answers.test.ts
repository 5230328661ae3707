import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { receive, send, deliveries, runs } = createReceiver(gateway);

describe("an answer of the trigger's own", () => {
  test("has its status, headers and a body in which expressions read the request and the run", async () => {
    const { hook, id } = await receive({
      answer: {
        status: 201,
        headers: { "X-Echo": "{{ trigger.body.name }}", "x-run": "{{ run.id }}" },
        body: { ok: true, run: "{{ run.id }}", name: "{{ trigger.body.name | upcase }}", n: "{{ trigger.body.n }}" },
      },
    });
    const answer = await send("POST", hook, { body: { name: "ada", n: 3 } });
    const [run] = await runs(id);
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({ ok: true, run: run!["id"], name: "ADA", n: 3 });
    expect(answer.headers.get("x-echo")).toBe("ada");
    expect(answer.headers.get("x-run")).toBe(run!["id"]);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
  });

  test("may be text, nothing, or the way to another page", async () => {
    const text = await receive({ answer: { body: "Thanks, {{ trigger.body.name }}!" } });
    const nothing = await receive({ answer: { status: 204 } });
    const page = await receive({ answer: { status: 303, headers: { location: "https://example.com/thanks" } } });
    const said = await send("POST", text.hook, { body: { name: "Ada" } });
    expect([said.status, said.text, said.headers.get("content-type")]).toEqual([
      200,
      "Thanks, Ada!",
      "text/plain; charset=utf-8",
    ]);
    expect((await send("POST", nothing.hook, { body: {} })).status).toBe(204);
    const moved = await send("POST", page.hook, { body: {} });
    expect([moved.status, moved.headers.get("location")]).toEqual([303, "https://example.com/thanks"]);
  });

  test("escapes what the sender said in a document, and keeps it from our own pages", async () => {
    const { hook } = await receive({
      answer: { headers: { "content-type": "text/html" }, body: "<p>Hello {{ trigger.body.name }}</p>" },
    });
    const answer = await send("POST", hook, { body: { name: "<script>alert(1)</script>" } });
    expect(answer.text).toBe("<p>Hello &lt;script&gt;alert(1)&lt;/script&gt;</p>");
    expect(answer.headers.get("content-security-policy")).toMatch(/^sandbox/);
    expect(answer.headers.get("content-type")).toBe("text/html; charset=utf-8");
  });

  test("of a delivery that came before names the run of then", async () => {
    const { hook } = await receive({ dedupe: { header: "x-id" }, answer: { body: "{{ run.id }}" } });
    const headers = { "x-id": "1" };
    const first = await send("POST", hook, { body: {}, headers });
    expect((await send("POST", hook, { body: {}, headers })).text).toBe(first.text);
  });

  test("that cannot be given loses nothing: the delivery is accepted, and the log says why", async () => {
    const { hook, id } = await receive({ answer: { body: "{{ trigger.body.name }}" } });
    const answer = await send("POST", hook, { body: {} });
    expect(answer.status).toBe(202);
    expect(answer.body).toMatchObject({ runId: expect.any(String), duplicate: false });
    expect((await deliveries(id))[0]).toMatchObject({
      outcome: "accepted",
      reason: { code: "answer-expression", detail: expect.stringContaining("trigger.body.name is missing") },
    });
  });

  test("cannot be made to hold another header", async () => {
    const { hook } = await receive({ answer: { headers: { "x-name": "{{ trigger.body.name }}" } } });
    const answer = await send("POST", hook, { body: { name: "a\r\nset-cookie: b=c" } });
    expect([answer.status, answer.headers.get("set-cookie")]).toEqual([202, null]);
  });

  test.each(["Łódź", "☃", "a\u0001", "a\u007f"])(
    "of what no header can hold (%j) is not given, and the delivery is accepted",
    async (name) => {
      const { hook, id } = await receive({ answer: { headers: { "x-name": "{{ trigger.body.name }}" } } });
      const answer = await send("POST", hook, { body: { name } });
      expect([answer.status, answer.headers.get("x-name")]).toEqual([202, null]);
      expect((await deliveries(id))[0]).toMatchObject({
        outcome: "accepted",
        reason: { code: "answer-expression", detail: expect.stringContaining("answer.headers.x-name") },
      });
    },
  );
});

describe("activation refuses", () => {
  let made = 0;
  async function issuesOf(answer: object): Promise<string[]> {
    const { body } = await gateway.call("POST", "/api/workflows", {
      body: {
        formatVersion: 1,
        key: `refused-${++made}`,
        name: "Refused",
        triggers: [{ id: "form", kind: "webhook", answer: JSON.parse(JSON.stringify(answer)) }],
        steps: [{ id: "one", kind: "set", input: { x: 1 } }],
      },
    });
    return (body["issues"] as { path: string; message: string }[]).map(({ path, message }) => `${path}: ${message}`);
  }

  test.each<[string, object, RegExp]>([
    ["an answer that reads a step", { body: "{{ one.x }}" }, /^triggers\[0\]\.answer\.body: an answer is given before/],
    ["more of the run than its id", { body: "{{ run.startedAt }}" }, /answer\.body: an answer is given before/],
    ["what cannot be parsed", { body: { a: "{{ trigger.body. }}" } }, /^triggers\[0\]\.answer\.body\.a: /],
    ["a status that says no", { status: 404 }, /^triggers\[0\]\.answer\.status: /],
    ["headers of the gateway's own", { headers: { "Set-Cookie": "a=b" } }, /Set-Cookie/],
    [
      "a header that HTTP cannot carry",
      { headers: { "x-name": "☃" } },
      /answer\.headers\.x-name: a header holds Latin/,
    ],
    ["a type that is not written out", { headers: { "content-type": "{{ trigger.body.type }}" } }, /written out/],
    [
      "to wait for longer than 30 s",
      { when: "finished", within: "31s" },
      /^triggers\[0\]\.answer\.within: from 1s to 30s/,
    ],
    ["a body where the run's output is answered", { when: "finished", body: "x" }, /"body" does not go together/],
  ])("%s", async (_what, answer, issue) => {
    expect((await issuesOf(answer)).join("\n")).toMatch(issue);
  });
});
