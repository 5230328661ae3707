import { expect, test } from "vitest";
import { activateWorkflow } from "../../../src/catalog/activation.ts";
import { createWorkflow, setSettings } from "../../../src/catalog/drafts.ts";
import { findArmedTriggers } from "../../../src/catalog/triggers.ts";
import { validateDefinition } from "../../../src/definition/validate.ts";
import type { JsonObject } from "../../../src/json.ts";
import { createCatalog, definitionWith } from "../../catalog/support.ts";
import { createTestDatabase } from "../../support/database.ts";

const { pool } = await createTestDatabase();
const catalog = await createCatalog(pool);
const context = { ...catalog, workflows: new Set(["renamer", "won-deals"]) };

const definitionOf = (trigger: JsonObject, rest: JsonObject = {}): JsonObject =>
  definitionWith("deals", { triggers: [{ id: "change", kind: "record-event", ...trigger }], steps: [], ...rest });

function faults(trigger: JsonObject, rest: JsonObject = {}): string[] {
  const { issues } = validateDefinition(definitionOf(trigger, rest), context);
  return issues.map(({ path, message }) => `${path}: ${message}`);
}

const deals = { objects: ["opportunity"], events: ["upserted"] };

test.each<[string, JsonObject, string[]]>([
  [
    "an unknown object",
    { objects: ["oportunity"], events: ["created"] },
    [`triggers[0].objects[0]: unknown object "oportunity"; did you mean "opportunity"?`],
  ],
  [
    "an object by its plural",
    { objects: ["people"], events: ["created"] },
    [`triggers[0].objects[0]: unknown object "people"; did you mean "person"?`],
  ],
  [
    "no object",
    { objects: [], events: ["created"] },
    [expect.stringMatching(/^triggers\[0\]\.objects: /) as unknown as string],
  ],
  [
    "an unknown event",
    { objects: ["person"], events: ["changed"] },
    [expect.stringMatching(/^triggers\[0\]\.events\[0\]: /) as unknown as string],
  ],
  [
    "an unknown key",
    { ...deals, object: "person" },
    [`triggers[0].object: unknown key "object"; did you mean "objects"?`],
  ],
  [
    "an unknown field",
    { ...deals, fields: ["stgae"] },
    [`triggers[0].fields[0]: opportunity has no field "stgae"; did you mean "stage"?`],
  ],
  [
    "a relation by its path",
    { ...deals, fields: ["company"] },
    [`triggers[0].fields[0]: opportunity has no field "company"; did you mean "companyId"?`],
  ],
  [
    "a sub-field",
    { ...deals, fields: ["amount.currencyCode"] },
    [`triggers[0].fields[0]: "fields" names whole fields: did you mean "amount"?`],
  ],
  [
    "a label",
    { ...deals, condition: { any: [{ field: "stage", operator: "became", value: "Closed won" }] } },
    [`triggers[0].condition.any[0]: "stage" has no option "Closed won"; did you mean "CLOSED_WON"?`],
  ],
  [
    "an unknown operator",
    { ...deals, condition: { field: "stage", operator: "becomes", value: "NEW" } },
    [`triggers[0].condition.operator: unknown operator "becomes"; did you mean "became"?`],
  ],
  [
    "a value where none is compared",
    { ...deals, condition: { field: "stage", operator: "changed", value: "NEW" } },
    [`triggers[0].condition.value: "changed" compares with nothing`],
  ],
  [
    "no value where one is",
    { ...deals, condition: { not: { field: "stage", operator: "became" } } },
    [`triggers[0].condition.not: "became" needs something to compare with: "value"`],
  ],
  [
    "an unknown workflow",
    { ...deals, ignoreWritesBy: ["renamer", "won-deal"] },
    [`triggers[0].ignoreWritesBy[1]: unknown workflow "won-deal"; did you mean "won-deals"?`],
  ],
  [
    "a debounce that is none",
    { ...deals, debounce: "2 minutes" },
    ["triggers[0].debounce: a duration is a number and a unit: 500ms, 5s, 10m, 2h, 7d"],
  ],
  ["a debounce of days", { ...deals, debounce: "2d" }, ["triggers[0].debounce: a debounce is from 100ms to 24h"]],
  [
    "a list that begins the next",
    { ...deals, deliver: "list", ownWrites: "heed" },
    ["triggers[0].ownWrites: a list cannot heed the workflow's own writes: each of its runs would begin the next list"],
  ],
])("%s is refused at its place", (_, trigger, messages) => {
  expect(faults(trigger)).toEqual(messages);
});

test("what only some of the objects have is refused for those that lack it", () => {
  const trigger = { objects: ["opportunity", "person"], events: ["updated"], fields: ["city", "name"] };
  expect(faults(trigger)).toEqual([`triggers[0].fields[0]: opportunity has no field "city"`]);
});

test("an operator of record triggers is refused elsewhere, with where it belongs", () => {
  const filter = { field: "stage", operator: "became", value: "NEW" };
  const steps = [{ id: "found", kind: "search-records", input: { object: "opportunity", filter } }];
  expect(faults(deals, { steps })).toEqual([
    `steps[0].input.filter.operator: the operator "became" is for conditions of record triggers only`,
  ]);
});

test("expressions read what the trigger gives, and of a list its events", () => {
  const read = (path: string): JsonObject => ({
    steps: [{ id: "seen", kind: "set", input: { value: `{{ ${path} }}` } }],
  });
  expect(faults(deals, read("trigger.record.company.name"))).toEqual([]);
  expect(faults(deals, read("trigger.recrod.name"))).toEqual([
    `steps[0].input.value: "trigger" gives no "recrod"; did you mean "record"?`,
  ]);
  expect(faults({ ...deals, deliver: "list" }, read("trigger.events[0].record.name"))).toEqual([]);
  expect(faults({ ...deals, deliver: "list" }, read("trigger.record.name"))).toHaveLength(1);
});

test("settings of the workflow are put in when it is armed, and checked then", async () => {
  const settings = { stage: { type: "text", default: "CLOSED_WON" }, rest: { type: "text", default: "5m" } };
  const condition = { field: "stage", operator: "became", value: "{{ settings.stage }}" };
  const document = definitionOf({ ...deals, condition, debounce: "{{ settings.rest }}" }, { settings });
  const { id } = await createWorkflow(pool, catalog, document);
  await activateWorkflow(pool, catalog, id);
  const armed = async (): Promise<JsonObject | undefined> =>
    (await findArmedTriggers(pool, { kind: "record-event", workflowId: id }))[0]?.trigger;
  expect(await armed()).toMatchObject({ condition: { value: "CLOSED_WON" }, debounce: "5m", ownWrites: "ignore" });
  await setSettings(pool, catalog, { workflowId: id, values: { stage: "NEW" } });
  expect(await armed()).toMatchObject({ condition: { value: "NEW" } });
  await expect(setSettings(pool, catalog, { workflowId: id, values: { stage: "Closed lost" } })).rejects.toMatchObject({
    issues: [
      { path: "triggers[0].condition", message: `"stage" has no option "Closed lost"; did you mean "CLOSED_LOST"?` },
    ],
  });
});
