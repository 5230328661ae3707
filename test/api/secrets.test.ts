import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../src/json.ts";
import { createVault } from "../../src/vault/vault.ts";
import { writtenForms } from "../../src/vault/written-forms.ts";
import { createTestDatabase } from "../support/database.ts";
import { dumpDatabase } from "../support/dump.ts";
import { testMasterKeys } from "../support/vault.ts";
import { hookDefinition, request, startGateway, type Answer } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, install, strangerKey, url, workspaceId } = await startGateway(pool);

/** All that was ever answered here, to search for what must not be there. */
const answered: string[] = [];
/** Values that were kept, or tried to be. */
const values: string[] = [];

async function ask(method: string, path: string, body?: JsonObject): Promise<Answer> {
  if (typeof body?.["value"] === "string") values.push(body["value"]);
  const answer = await call(method, path, body === undefined ? {} : { body });
  answered.push(JSON.stringify([...answer.headers]) + answer.text);
  return answer;
}

let made = 0;
const keep = async (value: string): Promise<{ id: string; name: string }> => {
  const name = `KEPT_${(made += 1)}`;
  const { body } = await ask("POST", "/api/secrets", { name, value });
  return { id: String(body["id"]), name };
};

afterAll(async () => {
  const dump = await dumpDatabase(pool);
  const wherever = answered.join("\n") + dump;
  const forms = values.flatMap((value) => writtenForms(Buffer.from(value))).filter(({ length }) => length >= 8);
  const seen = forms.filter((form) => wherever.includes(form));
  if (seen.length > 0) throw new Error(`Of secrets, there was seen: ${seen.join(", ")}`);
});

test("a secret is kept and shown without its value", async () => {
  const answer = await ask("POST", "/api/secrets", { name: "STRIPE_WEBHOOK", value: "whsec_canary/42+é\nline two" });
  expect(answer.status).toBe(201);
  const secret = {
    id: expect.any(String),
    name: "STRIPE_WEBHOOK",
    lastFour: " two",
    createdAt: expect.any(String),
    rotatedAt: null,
    previousValidUntil: null,
    usedBy: [],
    usedByConnections: [],
  };
  expect(answer.body).toEqual(secret);
  expect((await ask("GET", `/api/secrets/${String(answer.body["id"])}`)).body).toEqual(secret);
  expect((await ask("GET", "/api/secrets")).body["data"]).toContainEqual(secret);
});

describe("a new value", () => {
  test("says when it came, and until when the one before is taken", async () => {
    const { id } = await keep("the first value of it");
    const begun = Date.now();
    const { status, body } = await ask("PUT", `/api/secrets/${id}`, { value: "the second value of it" });
    expect(status).toBe(200);
    expect(Date.parse(String(body["rotatedAt"]))).toBeGreaterThan(begun - 60_000);
    const until = Date.parse(String(body["previousValidUntil"]));
    expect(until).toBeGreaterThan(begun + 86_400_000 - 60_000);
    expect(until).toBeLessThan(Date.now() + 86_400_000 + 60_000);
    expect((await ask("GET", `/api/secrets/${id}`)).body).toEqual(body);
  });

  test("counts at once with an overlap of 0s", async () => {
    const { id } = await keep("the first value of it");
    const { body } = await ask("PUT", `/api/secrets/${id}`, { value: "the second value of it", overlap: "0s" });
    expect(body["previousValidUntil"]).toBeNull();
  });

  test("that is the one it has already changes nothing but ends the one before sooner", async () => {
    const { id } = await keep("the first value of it");
    const wish = { value: "the second value of it", overlap: "1h" };
    const first = await ask("PUT", `/api/secrets/${id}`, wish);
    expect((await ask("PUT", `/api/secrets/${id}`, wish)).body).toEqual(first.body);
    const ended = await ask("PUT", `/api/secrets/${id}`, { ...wish, overlap: "0s" });
    expect(ended.body).toEqual({ ...first.body, previousValidUntil: null });
  });
});

describe("what cannot be kept is refused with what is wrong, and is not repeated:", () => {
  test.each([
    [
      "a value that is too short",
      { value: "7 chars" },
      "value",
      "at least 8 characters: what is shorter can be guessed",
    ],
    ["a value that is too long", { value: "x".repeat(16_385) }, "value", "at most 16,384 characters"],
    ["a value with a line break behind it", { value: "pasted value\n" }, "value", "begins or ends with white space"],
    ["a value with a space before it", { value: " pasted value" }, "value", "begins or ends with white space"],
    ["a name with a dash", { name: "STRIPE-WEBHOOK" }, "name", "a letter, then letters, digits and underscores"],
    ["a name that begins with a digit", { name: "2ND" }, "name", "a letter, then letters, digits and underscores"],
    ["no value", { value: null }, "value", "expected string"],
    ["an overlap", { overlap: "1h" }, "", 'Unrecognized key: "overlap"'],
  ])("%s", async (_, wrong, path, message) => {
    const answer = await call("POST", "/api/secrets", { body: { name: "RIGHT", value: "a right value", ...wrong } });
    answered.push(answer.text);
    values.push("a right value", ...("value" in wrong && wrong.value !== null ? [wrong.value.trim()] : []));
    expect(answer.status).toBe(422);
    expect(answer.body["issues"]).toEqual([{ path, message: expect.stringContaining(message) }]);
  });

  test("an overlap that is no duration, or too long", async () => {
    const { id } = await keep("the first value of it");
    for (const overlap of ["tomorrow", "-1h", "31d", "1.5h"]) {
      const { status, body } = await ask("PUT", `/api/secrets/${id}`, { value: "another value of it", overlap });
      expect(status).toBe(422);
      expect(body["issues"]).toMatchObject([{ path: "overlap" }]);
    }
  });

  test("a body that cannot be read", async () => {
    const value = "canary_in_what_is_broken";
    values.push(value);
    const headers = { "content-type": "application/json" };
    for (const raw of [
      `{"name":"A","value":"${value}"`,
      `{"name":"A","value":"${value}" x}`,
      `{"name":"A","value":${value}}`,
      `{"name":"A","value":"${value}\n"}`,
      `{"name":"A","value":"${value}","value":"${value}2"}`,
      `{"name":"A","value":["${value}"]}`,
      `{"name":"A","value":"x","${value}":1}`.replace("x", value),
      `["${value}"]`,
      `"${value}"`,
      value,
      `name=A&value=${value}`,
    ]) {
      const answer = await call("POST", "/api/secrets", { raw, headers });
      expect(answer.status).toBeGreaterThanOrEqual(400);
      if (!raw.includes(`"${value}":1`)) answered.push(answer.text);
    }
  });

  test("a name that is taken", async () => {
    const { name } = await keep("the first value of it");
    const { status, body } = await ask("POST", "/api/secrets", { name, value: "another value of it" });
    expect({ status, code: body["code"], detail: body["detail"] }).toEqual({
      status: 409,
      code: "secret-exists",
      detail: `There is a secret ${name} already. Give it a new value by PUT, or choose another name.`,
    });
  });
});

test("a secret that an active workflow uses stays, and says who uses it", async () => {
  const { id, name } = await keep("a value for a hook");
  const { id: workflowId } = await install(
    hookDefinition("uses-a-secret", { authentication: { kind: "github", secret: name } }),
  );
  const use = { workflowId, workflow: "uses-a-secret", trigger: "form" };
  expect((await ask("GET", `/api/secrets/${id}`)).body["usedBy"]).toEqual([{ ...use, active: true }]);
  const refused = await ask("DELETE", `/api/secrets/${id}`);
  expect(refused.body).toMatchObject({ status: 409, code: "secret-in-use" });
  expect(refused.body["detail"]).toContain("uses-a-secret (form)");
  await call("POST", `/api/workflows/${workflowId}/deactivate`);
  expect((await ask("GET", `/api/secrets/${id}`)).body["usedBy"]).toEqual([{ ...use, active: false }]);
  expect((await ask("DELETE", `/api/secrets/${id}`)).status).toBe(200);
  expect((await ask("GET", `/api/secrets/${id}`)).status).toBe(404);
  const again = await call("POST", `/api/workflows/${workflowId}/activate`);
  expect(again.body).toMatchObject({
    status: 422,
    issues: [
      { path: "triggers[0].authentication.secret", message: expect.stringContaining(`there is no secret "${name}"`) },
    ],
  });
});

test("a setting that names the secret is checked when it is changed", async () => {
  const [first, second] = [await keep("a value of the first"), await keep("a value of the second")];
  const { id: workflowId } = await install(
    hookDefinition(
      "secret-by-setting",
      { authentication: { kind: "bearer", secret: "{{ settings.secret }}" } },
      { settings: { secret: { type: "text", default: first.name } } },
    ),
  );
  const set = (secret: string) => call("PUT", `/api/workflows/${workflowId}/settings`, { body: { secret } });
  expect((await set("NOWHERE")).body).toMatchObject({
    status: 422,
    issues: [{ message: expect.stringContaining('there is no secret "NOWHERE"') }],
  });
  expect((await set(second.name)).status).toBe(200);
  expect((await ask("DELETE", `/api/secrets/${second.id}`)).status).toBe(409);
  expect((await ask("DELETE", `/api/secrets/${first.id}`)).status).toBe(200);
});

test("a long list goes on where a page ends", async () => {
  for (let count = 0; count < 5; count++) await keep(`value ${count} of a long list`);
  const names: unknown[] = [];
  let cursor: string | undefined;
  do {
    const { body } = await ask("GET", `/api/secrets?limit=2${cursor === undefined ? "" : `&cursor=${cursor}`}`);
    names.push(...(body["data"] as JsonObject[]).map(({ name }) => name));
    cursor = (body["nextCursor"] as string | null) ?? undefined;
  } while (cursor !== undefined);
  const { rows } = await pool.query<{ name: string }>("select name from tandem.secrets order by id");
  expect(names).toEqual(rows.map(({ name }) => name));
});

test("a secret of another workspace is not there", async () => {
  const { id } = await keep("a value of ours alone");
  const key = await strangerKey();
  for (const method of ["GET", "PUT", "DELETE"]) {
    const body = method === "PUT" ? { body: { value: "a value of theirs" } } : {};
    expect((await request(url, method, `/api/secrets/${id}`, { key, ...body })).status).toBe(404);
  }
  expect((await request(url, "GET", "/api/secrets", { key })).body["data"]).toEqual([]);
  expect((await request(url, "GET", "/api/secrets", { key: null })).status).toBe(401);
});

test("nothing of a value is in the log, also when it cannot be opened", async () => {
  let logged = "";
  const log = pino(
    { level: "trace" },
    new Writable({
      write(chunk: Buffer, _, done) {
        logged += chunk.toString();
        done();
      },
    }),
  );
  const { name } = await keep("a value that is not logged");
  const vault = createVault({ pool, masterKeys: testMasterKeys(3), log });
  await expect(vault.openSecrets(workspaceId, [name])).rejects.toMatchObject({ status: 503 });
  await expect(vault.create({ workspaceId, name: "OTHER", value: "a value that is not kept" })).rejects.toMatchObject({
    code: "another-master-key",
  });
  expect(logged).toContain("a secret cannot be opened");
  answered.push(logged);
});
