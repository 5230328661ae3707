import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import { comparators } from "../../src/api/rest/filter-syntax.ts";
import { operations } from "../../src/api/rest/operations.ts";
import { fieldTypes } from "../../src/crm/field-types.ts";
import { environmentKeys, projectRoot, readConfig } from "../../src/config.ts";
import { controlKinds } from "../../src/definition/schema.ts";
import { filterNames } from "../../src/definition/expressions.ts";
import { operators } from "../../src/definition/conditions.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { refusalCodes } from "../../src/triggers/webhook/authentication/authentication.ts";

const read = (file: string): Promise<string> => readFile(join(projectRoot, file), "utf8");
const headings = (text: string): string[] => [...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title!);
const codesIn = (text: string): string[] =>
  [...text.matchAll(/^\| (`[^|]+) \|/gm)].flatMap(([, cell]) =>
    [...cell!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!),
  );

test("every kind of step has its section, and every section its kind", async () => {
  const kinds = [...Object.keys(createStepKinds({ mail: createMailTransport(readConfig({})) })), ...controlKinds];
  expect(headings(await read("docs/steps.md")).toSorted()).toEqual(kinds.toSorted());
});

test("every type of field is described, and no other", async () => {
  const [, types = ""] = (await read("docs/objects.md")).split(/^## Types of fields$/m);
  expect(new Set(codesIn(types.split(/^## /m)[0] ?? ""))).toEqual(new Set(Object.keys(fieldTypes)));
});

test("every kind of trigger has its section, and every section its kind", async () => {
  expect(headings(await read("docs/triggers.md")).toSorted()).toEqual(Object.keys(triggerKinds).toSorted());
});

test("every reason to refuse the sender of a webhook is described, and no other", async () => {
  const [, reasons = ""] = (await read("docs/webhooks.md")).split(/^### Why a sender was refused$/m);
  expect(codesIn(reasons.split(/^## /m)[0] ?? "").toSorted()).toEqual([...refusalCodes].toSorted());
});

test("every filter and every operator is described, and no other", async () => {
  const [expressions = "", conditions = ""] = (await read("docs/expressions.md")).split("## Conditions");
  const table = expressions.split("### Filters")[1] ?? "";
  const described = [...table.matchAll(/`([a-z_]+)(?:: "[A-Z]+")?`/g)].map(([, name]) => name!);
  expect(new Set(described)).toEqual(new Set(filterNames));
  expect(new Set(codesIn(conditions))).toEqual(new Set(operators));
});

test("every route, parameter and comparator of records is described, and no other", async () => {
  const [routes = "", parameters = "", filters = ""] = (await read("docs/records.md")).split(/^## /m).slice(1);
  const served = operations.filter(({ method }) => method !== "put");
  expect(
    codesIn(routes)
      .filter((code) => /^[A-Z]+ \//.test(code))
      .toSorted(),
  ).toEqual(served.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted());
  const taken = operations.flatMap(({ query }) => Object.keys(query.shape));
  expect(codesIn(parameters).toSorted()).toEqual([...new Set(taken)].toSorted());
  expect(codesIn(filters.split("| comparator |")[1] ?? "").toSorted()).toEqual(comparators.toSorted());
});

test("every variable of the environment is in .env.example, and no other", async () => {
  const named = [...(await read(".env.example")).matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
  expect(named.toSorted()).toEqual(environmentKeys.map(({ name }) => name).toSorted());
});

test("every npm script that README names is there, and README names every one", async () => {
  const { scripts } = JSON.parse(await read("package.json")) as { scripts: Record<string, string> };
  const named = [...(await read("README.md")).matchAll(/npm (?:run )?(start|test|[a-z]+(?:-[a-z]+)*)\b/g)].map(
    ([, name]) => name!,
  );
  const known = new Set(Object.keys(scripts));
  expect(new Set(named.filter((name) => name !== "and" && name !== "install"))).toEqual(known);
});

test("every folder of src stands in the house of ARCHITECTURE.md", async () => {
  const house = await read("ARCHITECTURE.md");
  const folders = (await readdir(join(projectRoot, "src"), { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  for (const { name } of folders) expect(house).toContain(`  ${name}/`);
});
