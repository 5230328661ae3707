import { Ajv2020 } from "ajv/dist/2020.js";
import formatsPlugin from "ajv-formats";
import { describe, expect, test } from "vitest";
import { createWorkflow } from "../../src/catalog/drafts.ts";
import { installTemplates, listTemplates } from "../../src/catalog/templates.ts";
import { listWorkflows } from "../../src/catalog/workflows.ts";
import { createDefinitionJsonSchema } from "../../src/definition/json-schema.ts";
import { validateDefinition } from "../../src/definition/validate.ts";
import type { Json } from "../../src/json.ts";
import { compileWebhook, webhookSettings } from "../../src/triggers/webhook.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCatalog, definitionWith } from "./support.ts";

const { pool } = await createTestDatabase();
const catalog = await createCatalog(pool);
const templates = await listTemplates();

test("web-form-leads is shipped", () => {
  expect(templates.map(({ id }) => id)).toContain("web-form-leads");
});

describe.each(templates.map((template) => ({ ...template, title: template.id })))(
  "$title",
  ({ id, document, samples, readme }) => {
    const { definition, issues } = validateDefinition(document, { ...catalog, settings: {} });

    test("can be activated as it is, under its folder's name", () => {
      expect(issues).toEqual([]);
      expect(definition?.key).toBe(id);
    });

    test("fits the JSON Schema of definitions", () => {
      const ajv = new Ajv2020({ strict: false });
      formatsPlugin.default(ajv);
      const fits = ajv.compile(createDefinitionJsonSchema(catalog));
      expect(fits(document) ? [] : fits.errors).toEqual([]);
    });

    test("names every setting in its README", () => {
      for (const setting of Object.keys(definition?.settings ?? {})) expect(readme).toContain(`\`${setting}\``);
    });

    test("has samples that its webhook takes, and others that it refuses", () => {
      const [trigger] = definition?.triggers ?? [];
      if (trigger?.kind !== "webhook") return;
      const { id: _id, kind: _kind, ...settings } = trigger;
      const { checkBody } = compileWebhook(webhookSettings.parse(settings));
      const taken = Object.entries(samples).filter(
        ([, body]) => checkBody(body as Json, { fromText: false }).issues.length === 0,
      );
      const names = Object.keys(samples);
      expect(taken.map(([name]) => name)).toEqual(names.filter((name) => !name.startsWith("bad-")));
      for (const kind of ["good-", "bad-", "edge-"]) expect(names.some((name) => name.startsWith(kind))).toBe(true);
    });
  },
);

describe("installing", () => {
  const statusOf = async (workspaceId: string, key: string) =>
    (await listWorkflows(pool, { workspaceId, limit: 100 }))
      .filter((workflow) => workflow.key === key)
      .map(({ status, template }) => ({ status, template }));

  test("makes every template an active workflow, once, however often and by how many it is done", async () => {
    const other = await createCatalog(pool);
    await Promise.all([installTemplates(pool, other), installTemplates(pool, other)]);
    await installTemplates(pool, other);
    for (const { id } of templates)
      expect(await statusOf(other.workspaceId, id)).toEqual([{ status: "active", template: id }]);
  });

  test("activates one that was installed and not yet active when a start was killed", async () => {
    const other = await createCatalog(pool);
    for (const { id, document } of templates) {
      const workflow = await createWorkflow(pool, other, document);
      await pool.query("update tandem.workflows set template = $2 where id = $1", [workflow.id, id]);
    }
    await installTemplates(pool, other);
    for (const { id } of templates)
      expect(await statusOf(other.workspaceId, id)).toEqual([{ status: "active", template: id }]);
  });

  test("leaves a workflow alone that a person made under a template's key", async () => {
    const other = await createCatalog(pool);
    await createWorkflow(pool, other, definitionWith("web-form-leads"));
    await installTemplates(pool, other);
    expect(await statusOf(other.workspaceId, "web-form-leads")).toEqual([{ status: "draft", template: null }]);
  });

  test("leaves a template alone that a person has stopped or changed", async () => {
    const other = await createCatalog(pool);
    await installTemplates(pool, other);
    await pool.query("update tandem.workflows set status = 'inactive' where workspace_id = $1", [other.workspaceId]);
    await installTemplates(pool, other);
    for (const { id } of templates)
      expect(await statusOf(other.workspaceId, id)).toEqual([{ status: "inactive", template: id }]);
  });
});
