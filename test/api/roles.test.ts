import { describe, expect, test } from "vitest";
import { accessOf, scopes } from "../../src/api/access.ts";
import { createEndpoints } from "../../src/api/endpoints.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { kinds } from "../catalog/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { recordKinds } from "../support/engine.ts";
import { createTestGate } from "../support/gate.ts";
import { httpParts } from "../support/http.ts";
import { createTestKey, createTestVault } from "../support/vault.ts";
import { startGateway, type Answer } from "./gateway.ts";
import { allRoutes } from "./isolation/routes.ts";

const { pool } = await createTestDatabase();
const { call, workspaceId } = await startGateway(pool, { kinds });
const routes = allRoutes(pool);
const endpoints = createEndpoints({
  pool,
  publicUrl: "",
  kinds: recordKinds,
  triggerKinds,
  quickLane: true,
  vault: createTestVault(pool),
  audit: createTestGate(pool).audit,
  http: httpParts(pool),
});

const keyOf = async (wanted: object): Promise<string> =>
  (await createTestKey(pool, { workspaceId, name: "Tried", ...wanted })).key;
const viewer = await keyOf({ role: "viewer" });
const editor = await keyOf({ role: "editor" });

/** What a route asks, by what it says of itself. */
function asked(method: string, path: string): ReturnType<typeof accessOf> {
  const endpoint = endpoints.find((each) => each.method.toUpperCase() === method && each.path === path);
  if (endpoint !== undefined) return accessOf(endpoint, endpoint.access);
  return accessOf({ method, path }, /duplicates/.test(path) ? { changes: "nothing" } : {});
}

/** Asks for nothing that there is, with a body that is none: whether it is allowed is asked first. */
async function ask(key: string, method: string, path: string): Promise<Answer> {
  const filled = path.replace("{plural}", "people").replaceAll(/\{\w+\}/g, createId());
  return call(method, filled, { key, ...(method === "GET" || method === "DELETE" ? {} : { body: 1 }) });
}

test("every route has an area that scopes can name, but the one that is everybody's", () => {
  const without = routes.filter(({ method, path }) => !scopes.includes(asked(method, path).scope ?? ""));
  expect(without).toEqual([{ method: "GET", path: "/api/api-keys/current" }]);
});

test("what changes something is no viewer's, unless it says so", () => {
  const open = routes.filter(({ method, path }) => method !== "GET" && asked(method, path).role === "viewer");
  expect(open.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual([
    "POST /api/schedules/preview",
    "POST /rest/duplicates/{plural}",
    "POST /rest/{plural}/duplicates",
  ]);
});

test("keys, settings, secrets, connections, objects and other workspaces are changed by admins only", () => {
  const admins = routes.filter(({ method, path }) => method !== "GET" && asked(method, path).role === "admin");
  const areas = new Set(admins.map(({ method, path }) => asked(method, path).scope));
  expect([...areas].toSorted()).toEqual([
    "api-keys:write",
    "connections:write",
    "objects:write",
    "secrets:write",
    "settings:write",
    "workspaces:write",
  ]);
});

describe("each route asks for the role that it names:", () => {
  test.each(routes)("$method $path", async ({ method, path }) => {
    const { role } = asked(method, path);
    for (const [name, key] of [
      ["viewer", viewer],
      ["editor", editor],
    ] as const) {
      const { status, body } = await ask(key, method, path);
      const isRefused = role === "admin" || (role === "editor" && name === "viewer");
      expect([name, status === 403 && body["code"] === "role-required"]).toEqual([name, isRefused]);
    }
  });
});

describe("each route asks for its scope, and for no other:", () => {
  test.each(routes.filter(({ path }) => path !== "/api/api-keys/current"))(
    "$method $path",
    async ({ method, path }) => {
      const { scope } = asked(method, path);
      const others = scopes.filter((each) => each !== scope && each !== scope?.replace(":read", ":write"));
      const refused = await ask(await keyOf({ scopes: others }), method, path);
      expect(refused.body).toMatchObject({ status: 403, code: "scope-required" });
      expect(refused.body["detail"]).toContain(`takes a key with the scope ${scope}`);
      const allowed = await ask(await keyOf({ scopes: [scope] }), method, path);
      expect(allowed.body["code"]).not.toBe("scope-required");
    },
  );
});

test("who may write may read", async () => {
  const key = await keyOf({ scopes: ["records:write"] });
  expect((await call("GET", "/rest/people", { key })).status).toBe(200);
  expect((await call("GET", "/api/workflows", { key })).body).toMatchObject({ code: "scope-required" });
});

test("a role is a limit for scopes, and scopes for a role", async () => {
  const key = await keyOf({ role: "viewer", scopes: ["records:write"] });
  expect((await call("GET", "/rest/people", { key })).status).toBe(200);
  expect((await call("POST", "/rest/people", { key, body: {} })).body).toMatchObject({
    code: "role-required",
    detail:
      "POST /rest/{plural} takes the key of an editor; this one is a viewer's. An admin makes keys by POST /api/api-keys.",
  });
});

test("every key may ask what it may", async () => {
  const expiresAt = new Date(Date.now() + 3_600_000);
  const key = await keyOf({ role: "viewer", scopes: ["audit:read"], expiresAt });
  expect((await call("GET", "/api/api-keys/current", { key })).body).toMatchObject({
    name: "Tried",
    role: "viewer",
    scopes: ["audit:read"],
    expiresAt: expiresAt.toISOString(),
  });
});

describe("a key is refused with the reason", () => {
  const wrong: Array<[string, () => Promise<string>, string]> = [
    ["that is mistyped", async () => `${viewer.slice(0, -1)}-`, "something of it is missing or mistyped"],
    ["that was never made", async () => `tandem_${"x".repeat(43)}`, "does not exist"],
    ["whose time is over", () => keyOf({ expiresAt: new Date(Date.now() - 1_000) }), "ended at 20"],
  ];
  test.each(wrong)("%s", async (_, make, reason) => {
    const { status, body, headers } = await call("GET", "/api/settings", { key: await make() });
    expect([status, body["detail"]]).toEqual([401, expect.stringContaining(reason)]);
    expect(headers.get("www-authenticate")).toContain('error="invalid_token"');
  });
});

describe("a key makes none that may more than itself:", () => {
  const soon = new Date(Date.now() + 3_600_000);
  const later = new Date(Date.now() + 7_200_000).toISOString();
  const makeBy = async (maker: object, body: JsonObject): Promise<Answer> =>
    call("POST", "/api/api-keys", { key: await keyOf(maker), body: { name: "Greater", role: "admin", ...body } });

  test.each<[string, object, JsonObject, string]>([
    ["no other scopes", { scopes: ["api-keys:write"] }, { scopes: ["records:read"] }, "the scope records:read"],
    ["not all scopes", { scopes: ["api-keys:write"] }, {}, "the scope workflows:read"],
    ["not a longer life", { expiresAt: soon }, { expiresAt: later }, "live longer"],
    ["not one without end", { expiresAt: soon }, {}, "live longer"],
  ])("%s", async (_, maker, body, reason) => {
    expect((await makeBy(maker, body)).body).toMatchObject({
      status: 403,
      code: "greater-key",
      detail: expect.stringContaining(reason),
    });
  });

  test.each<[string, object, JsonObject]>([
    ["some of its scopes", { scopes: ["api-keys:write", "records:write"] }, { scopes: ["records:read"] }],
    ["its end", { expiresAt: soon }, { expiresAt: soon.toISOString() }],
    ["all of it", {}, {}],
  ])("but one with %s", async (_, maker, body) => {
    expect((await makeBy(maker, body)).status).toBe(201);
  });

  test.each<[string, JsonObject, string]>([
    ["an unknown scope", { scopes: ["people:read"] }, "scopes[0]"],
    ["no scope at all", { scopes: [] }, "scopes"],
    ["an unknown role", { role: "owner" }, "role"],
    ["an end that is past", { expiresAt: "2020-01-01T00:00:00Z" }, "expiresAt"],
  ])("%s is refused", async (_, body, path) => {
    const answer = await call("POST", "/api/api-keys", { body: { name: "Wrong", ...body } });
    expect([answer.status, answer.body["issues"]]).toEqual([422, [expect.objectContaining({ path })]]);
  });
});

test("the last key that may make any other stays; others do not count for it", async () => {
  const { body: first } = await call("POST", "/api/workspaces", { body: { name: "Keys" } });
  const key = String(first["apiKey"]);
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  for (const body of [
    { role: "editor" },
    { role: "admin", expiresAt: soon },
    { role: "admin", scopes: ["api-keys:write"] },
  ])
    await call("POST", "/api/api-keys", { key, body: { name: "Less", ...body } });
  const [own, ...others] = (await call("GET", "/api/api-keys", { key })).body["data"] as JsonObject[];
  expect((await call("DELETE", `/api/api-keys/${String(own?.["id"])}`, { key })).body).toMatchObject({
    status: 409,
    code: "last-api-key",
  });
  for (const other of others)
    expect((await call("DELETE", `/api/api-keys/${String(other["id"])}`, { key })).status).toBe(200);
});
