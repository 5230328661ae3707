import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { projectRoot } from "../../src/config.ts";
import { validateDefinition } from "../../src/definition/validate.ts";
import { manualSettings } from "../../src/triggers/manual.ts";
import { checkFailureInputs, failureInputs } from "../../src/triggers/manual/failure.ts";
import { createCatalog, definitionWith } from "../catalog/support.ts";
import { createTestDatabase } from "../support/database.ts";

const { pool } = await createTestDatabase();
const catalog = await createCatalog(pool);
const text = await readFile(join(projectRoot, "docs/alerts.md"), "utf8");
const [onFailure, handler] = [...text.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, yaml]) => parse(yaml!));

test("what docs/alerts.md shows can be written so", () => {
  const settings = { team: { type: "emails", default: ["team@example.com"] } };
  expect(validateDefinition(definitionWith("x", { settings, ...onFailure }), catalog).issues).toEqual([]);
  expect(validateDefinition(handler, catalog).issues).toEqual([]);
  const { id: _id, kind: _kind, ...trigger } = handler.triggers[0];
  const { inputs } = manualSettings.parse(trigger);
  expect(checkFailureInputs(inputs, { workflow: handler.key, at: "" })).toEqual([]);
});

test("docs/alerts.md names every input that a failure gives, with its type", () => {
  const [, table = ""] = text.split("| input | type | |");
  const named = [...table.matchAll(/^\| (`[^|]+) \| (\w+) \|/gm)].flatMap(([, names, type]) =>
    [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => [name!, type!]),
  );
  expect(Object.fromEntries(named)).toEqual(failureInputs);
});
