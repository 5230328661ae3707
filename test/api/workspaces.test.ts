import { describe, expect, test } from "vitest";
import { makeWorkspace } from "../../src/catalog/make-workspace.ts";
import { createId } from "../../src/ids.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { kinds } from "../catalog/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestVault } from "../support/vault.ts";
import { startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, strangerKey } = await startGateway(pool, { kinds });

const count = async (table: string, workspaceId: string): Promise<number> => {
  const { rows } = await pool.query<{ count: number }>(
    `select count(*) from tandem.${table} where workspace_id = $1::uuid`,
    [workspaceId],
  );
  return rows[0]?.count ?? 0;
};

describe("POST /api/workspaces", () => {
  test("makes one that has its own settings, objects, member and templates, and a key that sees only it", async () => {
    await call("POST", "/rest/companies", { body: { name: "Of the first" } });
    const made = await call("POST", "/api/workspaces", {
      body: {
        name: "Second",
        timeZone: "Europe/Berlin",
        currency: "CHF",
        runLimit: 7,
        member: { firstName: "Ada", lastName: "Lovelace", email: "ada@second.example" },
      },
    });
    expect([made.status, made.text]).toEqual([201, expect.stringContaining("tandem_")]);
    expect(made.body).toMatchObject({ name: "Second", timeZone: "Europe/Berlin", currency: "CHF", runLimit: 7 });
    const key = String(made.body["apiKey"]);
    expect((await call("GET", "/api/settings", { key })).body).toEqual({
      timeZone: "Europe/Berlin",
      currency: "CHF",
      runLimit: 7,
      alertAddresses: [],
      alertDigestMinutes: 60,
    });
    expect((await call("GET", "/rest/companies", { key })).body).toMatchObject({ totalCount: 0 });
    expect((await call("GET", "/rest/workspaceMembers", { key })).body).toMatchObject({
      data: { workspaceMembers: [{ userEmail: "ada@second.example", name: { firstName: "Ada" } }] },
    });
    const workflows = (await call("GET", "/api/workflows", { key })).body["data"];
    expect(workflows).toEqual([expect.objectContaining({ template: "web-form-leads", status: "draft" })]);
    expect((await call("POST", "/rest/companies", { key, body: { name: "Of the second" } })).status).toBe(201);
    expect((await call("GET", "/rest/companies")).body).toMatchObject({ totalCount: 1 });
  });

  test("with the same id again, also at once, makes one workspace, and each answer has a key that works", async () => {
    const body = { id: createId(), name: "Third" };
    const answers = await Promise.all([1, 2, 3].map(() => call("POST", "/api/workspaces", { body })));
    answers.push(await call("POST", "/api/workspaces", { body }));
    expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 200, 200, 201]);
    for (const { body: answer } of answers) {
      expect(answer["id"]).toBe(body.id);
      expect((await call("GET", "/api/settings", { key: String(answer["apiKey"]) })).status).toBe(200);
    }
    expect(await count("workflows", body.id)).toBe(1);
    expect(await count("objects", body.id)).toBe(8);
    const key = String(answers[0]?.body["apiKey"]);
    expect((await call("GET", "/rest/workspaceMembers", { key })).body).toMatchObject({ totalCount: 1 });
  });

  test("finishes what a process left that was killed on the way", async () => {
    const body = { id: createId(), name: "Fourth" };
    const { "send-email": _, ...lacking } = kinds;
    const killed = makeWorkspace(
      { pool, vault: createTestVault(pool) },
      { kinds: lacking, triggerKinds, quickLane: true },
      body,
    );
    await expect(killed).rejects.toThrow(/unknown step kind/);
    expect(await count("workflows", body.id)).toBe(0);
    expect((await call("POST", "/api/workspaces", { body })).status).toBe(200);
    expect(await count("workflows", body.id)).toBe(1);
  });

  test("gives no key of a workspace that has another name, or was made long ago", async () => {
    const body = { id: createId(), name: "Fifth" };
    await call("POST", "/api/workspaces", { body });
    const other = await call("POST", "/api/workspaces", { body: { ...body, name: "Another" } });
    expect(other.body).toMatchObject({ status: 409, code: "workspace-exists" });
    await pool.query("update tandem.workspaces set created_at = now() - interval '11 minutes' where id = $1", [
      body.id,
    ]);
    expect((await call("POST", "/api/workspaces", { body })).status).toBe(409);
    expect(await count("api_keys", body.id)).toBe(1);
  });

  test("is refused to keys of other workspaces, whatever their ids", async () => {
    const id = "00000000-0000-7000-8000-000000000001";
    const { body } = await call("POST", "/api/workspaces", { body: { id, name: "Small id" } });
    for (const key of [String(body["apiKey"]), await strangerKey()]) {
      for (const [method, sent] of [
        ["POST", { body: { name: "Mine" } }],
        ["GET", {}],
      ] as const) {
        const answer = await call(method, "/api/workspaces", { key, ...sent });
        expect(answer.body).toMatchObject({ status: 403, code: "first-workspace-only" });
      }
    }
  });

  test.each([
    [{}, "name"],
    [{ name: " " }, "name"],
    [{ name: "x", timeZone: "Europe/Bern" }, "timeZone"],
    [{ name: "x", id: "1" }, "id"],
    [{ name: "x", member: { firstName: "A", lastName: "B", email: "no" } }, "member.email"],
  ])("refuses %j with the place", async (body, path) => {
    const answer = await call("POST", "/api/workspaces", { body });
    expect(answer.body).toMatchObject({ status: 422, issues: [expect.objectContaining({ path })] });
  });
});

test("GET /api/workspaces pages through all of them in the order in which they were made", async () => {
  for (const name of ["a", "b", "c"]) await call("POST", "/api/workspaces", { body: { name } });
  const { rows } = await pool.query<{ id: string }>("select id from tandem.workspaces order by ordinal");
  const seen: unknown[] = [];
  for (let cursor = ""; ;) {
    const { body } = await call("GET", `/api/workspaces?limit=2${cursor}`);
    seen.push(...(body["data"] as { id: string }[]).map(({ id }) => id));
    if (body["nextCursor"] === null) break;
    cursor = `&cursor=${String(body["nextCursor"])}`;
  }
  expect(seen).toEqual(rows.map(({ id }) => id));
});

describe("/api/api-keys", () => {
  test("a key is made, seen once, listed, and revoked at once", async () => {
    const made = await call("POST", "/api/api-keys", { body: { name: "Warehouse" } });
    expect(made.status).toBe(201);
    const key = String(made.body["key"]);
    const { key: _, ...summary } = made.body;
    expect(summary).toMatchObject({ role: "editor", scopes: null, expiresAt: null, lastUsedAt: null });
    const listed = await call("GET", "/api/api-keys");
    expect(listed.body["data"]).toContainEqual(summary);
    expect(listed.text).not.toContain(key);
    const revoked = await call("DELETE", `/api/api-keys/${String(made.body["id"])}`);
    expect([revoked.status, revoked.body]).toEqual([200, summary]);
    expect((await call("GET", "/api/settings", { key })).status).toBe(401);
    expect((await call("DELETE", `/api/api-keys/${String(made.body["id"])}`)).status).toBe(404);
  });

  test("the last key stays, also when two revoke the last two at once", async () => {
    const first = (await call("POST", "/api/workspaces", { body: { name: "Keys" } })).body;
    const key = String(first["apiKey"]);
    const second = (await call("POST", "/api/api-keys", { key, body: { name: "Second", role: "admin" } })).body;
    const listed = (await call("GET", "/api/api-keys", { key })).body["data"] as { id: string }[];
    expect(listed).toHaveLength(2);
    const answers = await Promise.all([
      call("DELETE", `/api/api-keys/${listed[0]?.id}`, { key: String(second["key"]) }),
      call("DELETE", `/api/api-keys/${listed[1]?.id}`, { key }),
    ]);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await count("api_keys", String(first["id"]))).toBe(1);
  });
});
