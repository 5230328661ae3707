import { describe, expect, test } from "vitest";
import { createAudit } from "../../src/api/audit.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { forgetAudit } from "../../src/vault/audit.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestKey } from "../support/vault.ts";
import { hookDefinition, startGateway, type Answer } from "./gateway.ts";
import { allRoutes } from "./isolation/routes.ts";

const { pool } = await createTestDatabase();
const { call, install, workspaceId, strangerKey } = await startGateway(pool);

let asked = 0;
/** A call, with its rows in the audit. */
async function audited(
  method: string,
  path: string,
  sent: { body?: JsonObject; key?: string; raw?: string } = {},
): Promise<{ answer: Answer; entries: JsonObject[] }> {
  const requestId = `call-${(asked += 1)}`;
  const answer = await call(method, path, { ...sent, headers: { "x-request-id": requestId } });
  const { body } = await call("GET", `/api/audit?requestId=${requestId}`);
  return { answer, entries: body["data"] as JsonObject[] };
}

const filled = (path: string): string => path.replace("{plural}", "people").replaceAll(/\{\w+\}/g, createId());
const changing = allRoutes(pool).filter(
  ({ method, path }) => method !== "GET" && !/duplicates|schedules\/preview/.test(path),
);

describe("one row, no more and no less, is kept of", () => {
  test.each(changing)("$method $path", async ({ method, path }) => {
    const { answer, entries } = await audited(method, filled(path), method === "DELETE" ? {} : { body: {} });
    expect(answer.status).toBeLessThan(500);
    expect(entries).toMatchObject([
      {
        action: `${method} ${path}`,
        outcome: answer.status < 300 ? "done" : "refused",
        status: answer.status,
        code: answer.status < 300 ? null : answer.body["code"],
        actor: { kind: "api-key", name: "Tester" },
        ip: "127.0.0.1",
      },
    ]);
  });

  test("a call that its key may not make", async () => {
    const { key } = await createTestKey(pool, { workspaceId, name: "Looks only", role: "viewer" });
    const { entries } = await audited("POST", "/api/secrets", { key, body: { name: "A", value: "a value of it" } });
    expect(entries).toMatchObject([
      { outcome: "refused", status: 403, code: "role-required", actor: { name: "Looks only" } },
    ]);
  });

  test("a call with a body that cannot be read", async () => {
    const { entries } = await audited("POST", "/rest/people", { raw: "{" });
    expect(entries).toMatchObject([{ outcome: "refused", action: "POST /rest/{plural}", target: "/rest/people" }]);
  });
});

test("nothing is kept of what only reads, and of who is nobody", async () => {
  for (const { method, path } of allRoutes(pool).filter(({ method: each }) => each === "GET"))
    expect((await audited(method, filled(path))).entries).toEqual([]);
  expect((await audited("POST", "/rest/people/duplicates", { body: { ids: [] } })).entries).toEqual([]);
  expect((await audited("POST", "/rest/people", { key: `tandem_${"x".repeat(43)}`, body: {} })).entries).toEqual([]);
});

describe("what was before and after", () => {
  test("is told of settings", async () => {
    const { entries } = await audited("PUT", "/api/settings", { body: { currency: "CHF" } });
    const [{ before, after } = {}] = entries;
    expect(entries).toMatchObject([{ changed: ["currency"], before: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
    expect(after).not.toBe(before);
    const again = (await audited("PUT", "/api/settings", { body: { currency: "CHF" } })).entries;
    expect(again).toMatchObject([{ changed: [], before: after, after }]);
  });

  test("is told of a workflow that is activated", async () => {
    const { body } = await call("POST", "/api/workflows", { body: hookDefinition("audited") });
    const { entries } = await audited("POST", `/api/workflows/${String(body["id"])}/activate`);
    expect(entries).toMatchObject([{ outcome: "done", changed: expect.arrayContaining(["status", "triggers"]) }]);
  });

  test("is nothing before of what is made, and nothing after of what is deleted", async () => {
    const made = await audited("POST", "/api/secrets", { body: { name: "AUDITED", value: "a canary of the audit" } });
    expect(made.entries).toMatchObject([{ before: null, after: expect.any(String), changed: null }]);
    const path = `/api/secrets/${String(made.answer.body["id"])}`;
    const changed = await audited("PUT", path, { body: { value: "another canary of the audit" } });
    expect(changed.entries).toMatchObject([
      { before: made.entries[0]?.["after"], changed: expect.arrayContaining(["rotatedAt"]) },
    ]);
    const deleted = await audited("DELETE", path);
    expect(deleted.entries).toMatchObject([{ before: changed.entries[0]?.["after"], after: null }]);
    const { rows } = await pool.query<{ row: string }>("select to_jsonb(a)::text as row from tandem.audit a");
    expect(rows.filter(({ row }) => row.includes("canary"))).toEqual([]);
  });
});

describe("the audit", () => {
  test("is narrowed by actor, action, target, outcome and time, and paged", async () => {
    const { id } = await install(hookDefinition("listed"));
    const path = `/api/workflows/${id}`;
    const begun = new Date().toISOString();
    for (const note of ["a", "b", "c"]) await call("POST", `${path}/pause`, { body: { note } });
    await call("POST", `${path}/pause`, { body: { note: 1 } });
    const list = async (query: string): Promise<JsonObject[]> =>
      (await call("GET", `/api/audit?${query}`)).body["data"] as JsonObject[];
    const paused = await list(`target=${path}&action=${encodeURIComponent("POST /api/workflows/{id}/pause")}`);
    expect(paused.map(({ outcome }) => outcome)).toEqual(["refused", "done", "done", "done"]);
    expect(await list(`target=${path}&outcome=refused`)).toEqual([paused[0]]);
    expect(await list(`target=${path}/pause&from=${begun}`)).toEqual(paused);
    expect(await list(`target=${path}&to=${begun}`)).toHaveLength(1);
    expect(await list(`target=${path.slice(0, -1)}`)).toEqual([]);
    const { body: asking } = await call("GET", "/api/api-keys/current");
    expect(await list(`target=${path}/pause&actor=${String(asking["id"])}`)).toEqual(paused);
    expect(await list(`target=${path}&actor=${createId()}`)).toEqual([]);
    const first = await call("GET", `/api/audit?target=${path}/pause&limit=3`);
    const rest = await list(`target=${path}/pause&limit=3&cursor=${String(first.body["nextCursor"])}`);
    expect([...(first.body["data"] as JsonObject[]), ...rest]).toEqual(paused);
  });

  test("is its own workspace's", async () => {
    const key = await strangerKey();
    expect((await call("GET", "/api/audit", { key })).body).toEqual({ data: [], nextCursor: null });
  });

  test("answers each request with its id", async () => {
    const named = await call("GET", "/api/settings", { headers: { "x-request-id": "mine-1" } });
    expect(named.headers.get("x-request-id")).toBe("mine-1");
    const unnamed = await call("GET", "/api/settings", { headers: { "x-request-id": "with a space" } });
    expect(unnamed.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("says that nobody knows of a call whose process died", async () => {
    const audit = createAudit({ pool, log: createLog("test", "fatal") });
    const id = createId();
    const actor = { kind: "api-key", id: createId(), name: "Gone" };
    await audit.begin({ id, workspaceId, actor, action: "DELETE /x", target: "/x", requestId: "died", ip: null });
    const { body } = await call("GET", "/api/audit?requestId=died");
    expect(body["data"]).toMatchObject([{ id, outcome: "unknown", status: null }]);
  });

  test("can be added to, and not changed", async () => {
    await audited("PUT", "/api/settings", { body: {} });
    for (const statement of [
      "delete from tandem.audit",
      "truncate tandem.audit",
      "update tandem.audit set outcome = 'refused' where outcome = 'done'",
      "update tandem.audit set target = '/elsewhere' where outcome is null",
    ])
      await expect(pool.query(statement)).rejects.toThrow("tandem.audit is append-only");
  });

  test("is forgotten when its time is over", async () => {
    const { entries } = await audited("PUT", "/api/settings", { body: {} });
    const { rows } = await pool.query<{ count: number }>("select count(*) from tandem.audit");
    expect(await forgetAudit(pool, new Date(Date.now() - 3_600_000))).toBe(0);
    expect(await forgetAudit(pool, new Date(Date.now() + 1_000))).toBe(rows[0]?.count);
    const { body } = await call("GET", `/api/audit?requestId=${String(entries[0]?.["requestId"])}`);
    expect(body["data"]).toEqual([]);
  });
});
