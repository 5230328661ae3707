import { expect, test } from "vitest";
import { validateDefinition } from "../../src/definition/validate.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { definitionWith, createCatalog } from "../catalog/support.ts";
import { createTestDatabase } from "../support/database.ts";

const { pool } = await createTestDatabase();
const catalog = { ...(await createCatalog(pool)), workflows: new Set(["mine", "other"]) };
const settings: JsonObject = {
  team: { type: "emails", default: ["team@example.com"] },
  boss: { type: "email" },
  days: { type: "number", default: 3 },
};

const faultsOf = (onFailure: Json, values?: JsonObject): string[] =>
  validateDefinition(definitionWith("mine", { settings, onFailure }), {
    ...catalog,
    ...(values === undefined ? {} : { settings: values }),
  }).issues.map(({ path, message }) => `${path}: ${message}`);

test.each<[Json]>([
  [{}],
  [{ notify: [] }],
  [{ notify: "ops@example.com" }],
  [{ notify: ["ops@example.com", "{{ settings.boss }}"], workflow: "other" }],
  [{ notify: "{{ settings.team }}" }],
])("onFailure may be %j", (onFailure) => {
  expect(faultsOf(onFailure)).toEqual([]);
  expect(faultsOf(onFailure, { boss: "b@example.com" })).toEqual([]);
});

test.each<[Json, string[]]>([
  [{ notify: ["ops"] }, ['onFailure.notify: "ops" is no e-mail address']],
  [{ notify: [{ to: "ops@example.com" }] }, ['onFailure.notify: {"to":"ops@example.com"} is no e-mail address']],
  [{ notify: "{{ settings.tem }}" }, ['onFailure.notify: unknown setting "tem"; did you mean "team"?']],
  [
    { notify: ["{{ trigger.body.email }}"] },
    ['onFailure.notify[0]: whom a failure is told may read "settings" only, not "trigger"'],
  ],
  [{ workflow: "mine" }, ["onFailure.workflow: a workflow cannot be started by its own failure: name another"]],
  [{ workflow: "othr" }, ['onFailure.workflow: unknown workflow "othr"; did you mean "other"?']],
  [{ emails: [] }, ['onFailure.emails: unknown key "emails"']],
])("onFailure may not be %j", (onFailure, faults) => {
  expect(faultsOf(onFailure)).toEqual(faults);
});

test("what its settings give is looked at when it is activated", () => {
  const given = { notify: ["{{ settings.days }}"] };
  expect(faultsOf(given)).toEqual([]);
  expect(faultsOf(given, { boss: "b@example.com" })).toEqual(["onFailure.notify: 3 is no e-mail address"]);
});
