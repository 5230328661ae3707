import { describe, expect, test } from "vitest";
import { activateWorkflow, deactivateWorkflow } from "../../src/catalog/activation.ts";
import { createWorkflow, saveDraft, setSettings } from "../../src/catalog/drafts.ts";
import { loadVersion } from "../../src/catalog/versions.ts";
import { findWebhook } from "../../src/catalog/webhooks.ts";
import { getWorkflow, listVersions, listWorkflows } from "../../src/catalog/workflows.ts";
import { createId } from "../../src/ids.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCatalog, definitionWith, kinds, refusal, refused } from "./support.ts";

const { pool } = await createTestDatabase();
const catalog = await createCatalog(pool);
const { workspaceId } = catalog;

const create = (key: string, changes = {}) => createWorkflow(pool, catalog, definitionWith(key, changes));
const activate = (workflowId: string) => activateWorkflow(pool, catalog, workflowId);
const save = (workflowId: string, document: unknown, revision?: number) =>
  saveDraft(pool, catalog, { workflowId, document, revision });
const tokenOf = (workflow: { triggers: readonly { token?: string }[] }): string => workflow.triggers[0]?.token ?? "";

describe("a new workflow", () => {
  test("is a draft, kept as it was written", async () => {
    const document = definitionWith("as-written", { concurrency: { key: "{{ trigger.body.id }}" } });
    const workflow = await createWorkflow(pool, catalog, document);
    expect(workflow).toMatchObject({
      key: "as-written",
      name: "Flow as-written",
      status: "draft",
      active: null,
      triggers: [],
    });
    expect(workflow.draft).toMatchObject({ number: 1, definition: document });
  });

  test("is refused with the place of every fault", async () => {
    const steps = [
      { id: "a", kind: "search-records", input: { object: "persn" } },
      { id: "b", kind: "create-record", input: { object: "person", values: { jobTitel: "CTO" } } },
    ];
    const { status, code, issues } = await refused(create("faulty", { steps }));
    expect([status, code]).toEqual([422, "invalid-definition"]);
    expect(issues.map(({ path }) => path)).toEqual(["steps[0].input.object", "steps[1].input.values.jobTitel"]);
    expect(issues.map(({ message }) => message)).toEqual([
      expect.stringMatching(/did you mean "person"\?/),
      expect.stringMatching(/did you mean "jobTitle"\?/),
    ]);
  });

  test("is refused when its key is taken, also by one made at the same moment", async () => {
    const made = await Promise.allSettled([create("taken"), create("taken")]);
    expect(made.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
    expect(await refusal(create("taken"))).toBe("409 key-taken");
  });

  test("of the same key lives in another workspace", async () => {
    const other = await createCatalog(pool);
    await create("shared-key");
    const { id } = await createWorkflow(pool, other, definitionWith("shared-key"));
    expect(await refusal(getWorkflow(pool, { workspaceId, workflowId: id }))).toBe("404 workflow-not-found");
    expect(await refusal(activate(id))).toBe("404 workflow-not-found");
    expect(await refusal(save(id, definitionWith("shared-key")))).toBe("404 workflow-not-found");
  });

  test("is not found under an id that is none", async () => {
    expect(await refusal(getWorkflow(pool, { workspaceId, workflowId: "none" }))).toBe("404 workflow-not-found");
    expect(await refusal(getWorkflow(pool, { workspaceId, workflowId: createId() }))).toBe("404 workflow-not-found");
  });
});

describe("a draft", () => {
  test("is saved under the revision that was read, and refused under an older one", async () => {
    const { id, draft } = await create("revised");
    const saved = await save(id, definitionWith("revised", { name: "Second" }), draft?.revision);
    expect(saved).toMatchObject({ name: "Second", draft: { number: 1, definition: { name: "Second" } } });
    expect(await refusal(save(id, definitionWith("revised"), draft?.revision))).toBe("412 draft-changed");
    await save(id, definitionWith("revised", { name: "Whatever stands there" }));
  });

  test("of two saved at once under one revision, one is refused", async () => {
    const { id, draft } = await create("raced");
    const saves = await Promise.allSettled(
      [1, 2].map((n) => save(id, definitionWith("raced", { name: `${n}` }), draft?.revision)),
    );
    expect(saves.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  });

  test("is refused under the revision of one that has been activated meanwhile", async () => {
    const { id, draft } = await create("overtaken");
    await activate(id);
    const next = await save(id, definitionWith("overtaken", { name: "Somebody else's" }));
    expect(await refusal(save(id, definitionWith("overtaken", { name: "Mine" }), draft?.revision))).toBe(
      "412 draft-changed",
    );
    expect(next.draft).toMatchObject({ number: 2 });
  });

  test("begins from the active version under that version's revision", async () => {
    const { id } = await create("edited");
    const { active } = await activate(id);
    const { draft } = await save(id, definitionWith("edited", { name: "Next" }), active?.revision);
    expect(draft).toMatchObject({ number: 2, definition: { name: "Next" } });
  });

  test("is refused under 0, which says that there was none, where there is one", async () => {
    const { id } = await create("none-seen");
    expect(await refusal(save(id, definitionWith("none-seen"), 0))).toBe("412 draft-changed");
    await activate(id);
    await save(id, definitionWith("none-seen"), 0);
    expect(await refusal(save(id, definitionWith("none-seen"), 0))).toBe("412 draft-changed");
  });

  test("keeps its key for life", async () => {
    const { id } = await create("for-life");
    const { issues } = await refused(save(id, definitionWith("another")));
    expect(issues).toEqual([
      { path: "key", message: 'the key is "for-life" for life; make another workflow for "another"' },
    ]);
  });

  test("leaves the active version alone", async () => {
    const { id } = await create("beside");
    const before = await activate(id);
    const after = await save(id, definitionWith("beside", { steps: [] }));
    expect(after.active).toEqual(before.active);
    expect(after.status).toBe("active");
  });
});

describe("activation", () => {
  test("freezes the plan, arms the webhook and says so", async () => {
    const { id } = await create("armed", { triggers: [{ id: "form", kind: "webhook", method: "PUT" }] });
    const workflow = await activate(id);
    expect(workflow).toMatchObject({ status: "active", draft: null, active: { number: 1, status: "active" } });
    expect(workflow.triggers).toMatchObject([
      { id: "form", kind: "webhook", settings: { method: "PUT" }, token: expect.stringMatching(/^[\w-]{43}$/) },
    ]);
    const version = await loadVersion(pool, workflow.active?.id ?? "", { kinds });
    expect(version).toMatchObject({
      workflowId: id,
      workflowKey: "armed",
      plan: { format: 1, steps: [{ id: "answer", quick: true }] },
    });
  });

  test("archives the version before; the webhook's address stays", async () => {
    const { id } = await create("replaced");
    const first = await activate(id);
    await save(id, definitionWith("replaced", { name: "Second" }));
    const second = await activate(id);
    expect(tokenOf(second)).toBe(tokenOf(first));
    const versions = await listVersions(pool, { workspaceId, workflowId: id });
    expect(versions.map(({ number, status }) => `${number} ${status}`)).toEqual(["2 active", "1 archived"]);
  });

  test("gives a trigger that comes back its old address", async () => {
    const { id } = await create("returning");
    const first = await activate(id);
    await save(id, definitionWith("returning", { triggers: [{ id: "other", kind: "webhook" }] }));
    expect(tokenOf(await activate(id))).not.toBe(tokenOf(first));
    await save(id, definitionWith("returning"));
    expect(tokenOf(await activate(id))).toBe(tokenOf(first));
  });

  test("a plan is the one that was frozen, whatever lane is configured later", async () => {
    const { id } = await create("frozen");
    const { active } = await activateWorkflow(pool, { ...catalog, quickLane: false }, id);
    await activate(id);
    const { plan, compiled } = await loadVersion(pool, active?.id ?? "", { kinds });
    expect(plan.steps[0]?.quick).toBe(false);
    expect(compiled.nodes[0]?.step).toEqual(plan.steps[0]);
  });

  test("at the same moment twice makes one active version", async () => {
    const { id } = await create("twice");
    await Promise.all([activate(id), activate(id), activate(id)]);
    const versions = await listVersions(pool, { workspaceId, workflowId: id });
    expect(versions.map(({ number, status }) => `${number} ${status}`)).toEqual(["1 active"]);
  });

  test("a version that was never activated cannot be loaded", async () => {
    const { draft } = await create("unplanned");
    await expect(loadVersion(pool, draft?.id ?? "", { kinds })).rejects.toThrow(/There is no activated version/);
  });
});

describe("deactivation", () => {
  test("stops a workflow from starting until it is activated again, under the same address", async () => {
    const { id } = await create("paused");
    const token = tokenOf(await activate(id));
    expect(await deactivateWorkflow(pool, catalog, id)).toMatchObject({ status: "inactive" });
    expect(await findWebhook(pool, token)).toMatchObject({ workflowId: id, active: false });
    const active = await activate(id);
    expect(active.status).toBe("active");
    expect(await findWebhook(pool, token)).toMatchObject({ active: true, versionId: active.active?.id });
  });

  test("of what is not active: a draft is refused, an inactive one stays so", async () => {
    const { id } = await create("never-active");
    expect(await refusal(deactivateWorkflow(pool, catalog, id))).toBe("409 not-active");
    await activate(id);
    await deactivateWorkflow(pool, catalog, id);
    expect(await deactivateWorkflow(pool, catalog, id)).toMatchObject({ status: "inactive" });
  });
});

describe("settings", () => {
  const settings = {
    inbox: { type: "email" },
    days: { type: "number", default: 3 },
    size: { type: "select", options: ["S", "L"], default: "S" },
  };
  const set = (workflowId: string, values: Record<string, string | number | null>) =>
    setSettings(pool, catalog, { workflowId, values });

  test("without a value keep a workflow from being activated; with one it is", async () => {
    const { id } = await create("needs-inbox", { settings });
    const { issues } = await refused(activate(id));
    expect(issues).toEqual([
      { path: "settings.inbox", message: "this setting has no value: set it, or give it a default" },
    ]);
    await set(id, { inbox: "sales@example.com" });
    const token = tokenOf(await activate(id));
    expect(await findWebhook(pool, token)).toMatchObject({
      settings: { inbox: "sales@example.com", days: 3, size: "S" },
    });
  });

  test("that were set stay through a new draft and its activation", async () => {
    const { id } = await create("keeps-values", { settings });
    await set(id, { inbox: "sales@example.com", days: 5 });
    await activate(id);
    await save(id, definitionWith("keeps-values", { settings: { ...settings, days: { type: "number", default: 9 } } }));
    const workflow = await activate(id);
    expect(workflow.settings).toEqual({ inbox: "sales@example.com", days: 5 });
    expect(await findWebhook(pool, tokenOf(workflow))).toMatchObject({
      settings: { inbox: "sales@example.com", days: 5 },
    });
  });

  test("go back to their default when null is set", async () => {
    const { id } = await create("takes-back", { settings });
    await set(id, { inbox: "sales@example.com", days: 5 });
    expect((await set(id, { days: null })).settings).toEqual({ inbox: "sales@example.com" });
  });

  test("of the active version can be set while a draft no longer has them", async () => {
    const { id } = await create("drops-one", { settings });
    await set(id, { inbox: "sales@example.com" });
    await activate(id);
    await save(id, definitionWith("drops-one"));
    expect((await set(id, { days: 4 })).settings).toMatchObject({ days: 4 });
  });

  test("are refused with the place of each fault", async () => {
    const { id } = await create("wrong-values", { settings });
    const { status, code, issues } = await refused(set(id, { inbox: "nobody", size: "XL", other: 1 }));
    expect([status, code]).toEqual([422, "invalid-settings"]);
    expect(issues.map(({ path }) => path)).toEqual(["inbox", "size", "other"]);
  });
});

describe("a webhook", () => {
  test("is found by its token with all that a request needs", async () => {
    const { id } = await create("found-by-token");
    const workflow = await activate(id);
    expect(await findWebhook(pool, tokenOf(workflow))).toMatchObject({
      workspace: { id: workspaceId, timeZone: "UTC" },
      workflowId: id,
      workflowKey: "found-by-token",
      versionId: workflow.active?.id,
      triggerId: "form",
      settings: {},
    });
  });

  test("is not found by another token", async () => {
    expect(await findWebhook(pool, "x".repeat(43))).toBeUndefined();
    expect(await findWebhook(pool, "")).toBeUndefined();
  });
});

test("workflows are listed page by page, each once", async () => {
  const other = await createCatalog(pool);
  const made = [];
  for (const key of ["one", "two", "three"]) made.push((await createWorkflow(pool, other, definitionWith(key))).id);
  const first = await listWorkflows(pool, { workspaceId: other.workspaceId, limit: 2 });
  const rest = await listWorkflows(pool, { workspaceId: other.workspaceId, limit: 2, after: first[1]?.id });
  expect([...first, ...rest].map(({ id }) => id)).toEqual(made);
});
