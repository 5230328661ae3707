import { expect, test } from "vitest";
import { activateWorkflow, deactivateWorkflow } from "../../src/catalog/activation.ts";
import { createWorkflow, saveDraft, setSettings } from "../../src/catalog/drafts.ts";
import { findArmedTriggers, type ArmedTrigger } from "../../src/catalog/triggers.ts";
import type { JsonObject } from "../../src/json.ts";
import { inTransaction } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { enqueue } from "../support/rows.ts";
import { createCatalog, definitionWith, refused } from "./support.ts";

const { pool } = await createTestDatabase();
const catalog = await createCatalog(pool);

const header = { dedupe: { header: "{{ settings.header }}" } };
const settings = { header: { type: "text", default: "x-id" } };

const withTrigger = (key: string, trigger: JsonObject, changes: JsonObject = {}): JsonObject =>
  definitionWith(key, { triggers: [{ id: "form", kind: "webhook", ...trigger }], ...changes });

async function armed(workflowId: string, options: { inactiveToo?: boolean } = {}): Promise<ArmedTrigger[]> {
  return findArmedTriggers(pool, { kind: "webhook", workflowId, ...options });
}

async function create(document: JsonObject): Promise<string> {
  const { id } = await createWorkflow(pool, catalog, document);
  return id;
}

test("are armed when their workflow is activated, with defaults and settings filled in, and only while it is active", async () => {
  const id = await create(withTrigger("armed", header, { settings }));
  expect(await armed(id)).toEqual([]);
  await activateWorkflow(pool, catalog, id);
  const [trigger] = await armed(id);
  expect(trigger).toMatchObject({
    triggerId: "form",
    workflowKey: "armed",
    active: true,
    trigger: { method: "POST", authentication: { kind: "none" }, dedupe: { header: "x-id" } },
    settings: { header: "x-id" },
  });
  await deactivateWorkflow(pool, catalog, id);
  expect(await armed(id)).toEqual([]);
  expect(await armed(id, { inactiveToo: true })).toMatchObject([{ active: false }]);
});

test("are armed anew when a setting that they read changes, and stay as they are when another does", async () => {
  const id = await create(
    withTrigger("changing", header, { settings: { ...settings, other: { type: "text", default: "" } } }),
  );
  await activateWorkflow(pool, catalog, id);
  const [first] = await armed(id);
  await setSettings(pool, catalog, { workflowId: id, values: { other: "x" } });
  expect((await armed(id))[0]?.revision).toBe(first?.revision);
  await setSettings(pool, catalog, { workflowId: id, values: { header: "x-other" } });
  const [second] = await armed(id);
  expect(second?.trigger).toMatchObject({ dedupe: { header: "x-other" } });
  expect(second?.revision).toBeGreaterThan(first?.revision ?? 0);
});

test("are armed anew while runs of their workflow are being enqueued, which wait for nothing", async () => {
  const id = await create(withTrigger("busy", {}));
  await activateWorkflow(pool, catalog, id);
  const [{ versionId } = { versionId: "" }] = await armed(id);
  const workflow = { workspaceId: catalog.workspaceId, workflowId: id, versionId };
  await inTransaction(pool, async (sql) => {
    await enqueue(sql, workflow);
    await saveDraft(pool, catalog, { workflowId: id, document: withTrigger("busy", { method: "PUT" }) });
    await activateWorkflow(pool, catalog, id);
  });
  expect((await armed(id))[0]).toMatchObject({ trigger: { method: "PUT" } });
});

test("refuse a setting's value that they cannot take, and stay armed as they were", async () => {
  const id = await create(withTrigger("strict", header, { settings }));
  await activateWorkflow(pool, catalog, id);
  const { code, issues } = await refused(
    setSettings(pool, catalog, { workflowId: id, values: { header: "not a header" } }),
  );
  expect([code, issues.map(({ path }) => path)]).toEqual(["invalid-settings", ["triggers[0].dedupe.header"]]);
  expect((await armed(id))[0]).toMatchObject({ trigger: { dedupe: { header: "x-id" } }, settings: { header: "x-id" } });
});

test("are refused with an expression that reads anything but settings", async () => {
  const work = create(withTrigger("late", { dedupe: { header: "{{ trigger.body.header }}" } }));
  const { issues } = await refused(work);
  expect(issues).toEqual([
    { path: "triggers[0].dedupe.header", message: expect.stringMatching(/read "settings" only, not "trigger"/) },
  ]);
});

test("cannot leave out who may send: a webhook would be open to everybody", async () => {
  const authentication = "{{ settings.header | optional }}";
  const { issues } = await refused(
    create(withTrigger("open", { authentication }, { settings: { header: { type: "text" } } })),
  );
  expect(issues).toEqual([{ path: "triggers[0].authentication", message: expect.stringContaining("optional") }]);
});

test.each(["github", "standard-webhooks", "hmac"])(
  "are refused with a signature of the body (%s) where all that is sent stands in the address",
  async (kind) => {
    const signed = { secret: "SIGNING", ...(kind === "hmac" ? { header: "x-signature" } : {}) };
    const { issues } = await refused(
      create(withTrigger(`get-${kind}`, { method: "GET", authentication: { kind, ...signed } })),
    );
    expect(issues.map(({ path }) => path)).toContain("triggers[0].authentication.kind");
  },
);

test("take a signature that covers the address where all that is sent stands there", async () => {
  const signed = { kind: "hmac", secret: "SIGNING", header: "x-signature", content: "{method}{url}{body}" };
  const document = withTrigger("get-url", { method: "GET", authentication: signed });
  await expect(create(document)).resolves.toMatch(/^[0-9a-f-]{36}$/);
});

test("of the version before are gone with the next one's activation", async () => {
  const id = await create(withTrigger("replaced", {}));
  await activateWorkflow(pool, catalog, id);
  const document = definitionWith("replaced", { triggers: [{ id: "other", kind: "webhook" }] });
  await saveDraft(pool, catalog, { workflowId: id, document });
  await activateWorkflow(pool, catalog, id);
  expect((await armed(id)).map(({ triggerId }) => triggerId)).toEqual(["other"]);
});
