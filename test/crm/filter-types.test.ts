import { expect, test } from "vitest";
import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createObject } from "../../src/crm/metadata/objects.ts";
import { createRecord, createWriter } from "../../src/crm/operations.ts";
import { listRecords, type Sort } from "../../src/crm/read.ts";
import type { RecordCondition } from "../../src/definition/conditions.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool, { timeZone: "Pacific/Auckland" });
const options = ["RED", "GREEN", "BLUE"].map((value) => ({ value, label: value.toLowerCase() }));
await createObject(
  { pool, workspace: crm.workspace },
  {
    name: "thing",
    plural: "things",
    fields: [
      { name: "day", type: "DATE", indexed: true },
      { name: "exact", type: "NUMBER", indexed: true },
      { name: "whole", type: "NUMBER", decimals: 0 },
      { name: "colours", type: "MULTI_SELECT", options, indexed: true },
      { name: "words", type: "ARRAY" },
      { name: "stars", type: "RATING", indexed: true },
      { name: "raw", type: "RAW_JSON" },
      { name: "key", type: "UUID", indexed: true },
      { name: "text", type: "TEXT", indexed: true },
      { name: "folded", type: "TEXT", indexed: true, compares: "without-case" },
      { name: "once", type: "TEXT", unique: true },
    ],
  },
);
const workspace = await loadWorkspace(pool, crm.workspace.id);
const objects = await getObjects(pool, workspace);
const object = objects.find("thing")!;
const writer = createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } });
const long = "x".repeat(250);
const today = new Intl.DateTimeFormat("sv-SE", { timeZone: "Pacific/Auckland" }).format(new Date());
const key = "0197f5f0-0000-7000-8000-00000000000a";
const things: Record<string, JsonObject> = {
  A: {
    day: "2026-03-29",
    exact: "12345678901234567890.5",
    whole: 3,
    colours: ["RED", "GREEN"],
    words: ["one", "Two"],
    stars: "RATING_2",
    raw: { a: { b: [1, 2] }, c: "x" },
    key,
    text: `${long}1`,
    folded: "Ärger",
    once: "first",
  },
  B: {
    day: today,
    exact: 0.1,
    whole: -2,
    colours: ["BLUE"],
    stars: "RATING_5",
    raw: [1, "two"],
    text: `${long}2`,
    folded: "ärgerlich",
  },
  C: { text: "Zebra", folded: "zebra", raw: {} },
};
for (const [name, values] of Object.entries(things))
  await createRecord(writer, { object, values: { name, ...values } });

const list = (where: RecordCondition, sort: Sort[] = []) =>
  listRecords(pool, { objects, object, where, sort, limit: 10 });
const namesOf = async (where: RecordCondition, sort: Sort[] = []) =>
  (await list(where, sort)).records.map(({ name }) => name).join("");

test.each<[RecordCondition, string]>([
  [{ field: "day", operator: "equals", value: "2026-03-29" }, "A"],
  [{ field: "day", operator: "lessThan", value: "2026-03-30" }, "A"],
  [{ field: "day", operator: "in", value: ["2026-03-29", null] }, "A"],
  [{ field: "day", operator: "inLast", value: { days: 1 } }, "B"],
  [{ field: "day", operator: "inNext", value: { months: 1 } }, "B"],
  [{ field: "day", operator: "isEmpty" }, "C"],
  [{ field: "exact", operator: "equals", value: "12345678901234567890.5" }, "A"],
  [{ field: "exact", operator: "greaterThan", value: "12345678901234567890.4" }, "A"],
  [{ field: "exact", operator: "greaterThan", value: "12345678901234567890.5" }, ""],
  [{ field: "exact", operator: "equals", value: 0.1 }, "B"],
  [{ field: "exact", operator: "in", value: ["0.10", 7] }, "B"],
  [{ field: "whole", operator: "greaterThan", value: 2.5 }, "A"],
  [{ field: "whole", operator: "notEquals", value: 3 }, "BC"],
  [{ field: "colours", operator: "contains", value: "RED" }, "A"],
  [{ field: "colours", operator: "notContains", value: "RED" }, "BC"],
  [{ field: "colours", operator: "equals", value: ["BLUE"] }, "B"],
  [{ field: "colours", operator: "isEmpty" }, "C"],
  [{ field: "words", operator: "contains", value: "Two" }, "A"],
  [{ field: "words", operator: "contains", value: "two" }, ""],
  [{ field: "words", operator: "isNotEmpty" }, "A"],
  [{ field: "stars", operator: "greaterThanOrEqual", value: "RATING_3" }, "B"],
  [{ field: "stars", operator: "in", value: ["RATING_2", "RATING_1"] }, "A"],
  [{ field: "raw", operator: "contains", value: { a: { b: [2] } } }, "A"],
  [{ field: "raw", operator: "contains", value: "two" }, "B"],
  [{ field: "raw", operator: "equals", value: [1, "two"] }, "B"],
  [{ field: "raw", operator: "in", value: [{}, [1]] }, "C"],
  [{ field: "raw", operator: "isEmpty" }, "C"],
  [{ field: "key", operator: "equals", value: key.toUpperCase() }, "A"],
  [{ field: "key", operator: "isNotEmpty" }, "A"],
  // Of long texts an index has the beginning; what is compared is the whole.
  [{ field: "text", operator: "equals", value: `${long}1` }, "A"],
  [{ field: "text", operator: "equals", value: long }, ""],
  [{ field: "text", operator: "in", value: [`${long}2`, "Zebra"] }, "BC"],
  [{ field: "text", operator: "in", value: ["Zebra", "zebra"] }, "C"],
  [{ field: "text", operator: "greaterThan", value: `${long}1` }, "B"],
  [{ field: "text", operator: "lessThanOrEqual", value: `${long}1` }, "AC"],
  [{ field: "text", operator: "startsWith", value: long }, "AB"],
  [{ field: "text", operator: "startsWith", value: `${long}2` }, "B"],
  [{ field: "text", operator: "startsWith", value: "" }, "ABC"],
  [{ field: "folded", operator: "equals", value: "ÄRGER" }, "A"],
  [{ field: "folded", operator: "startsWith", value: "ÄRG" }, "AB"],
  [{ field: "folded", operator: "in", value: ["ZEBRA", "Ärgerlich"] }, "BC"],
  [{ field: "once", operator: "startsWith", value: "fir" }, "A"],
  [{ field: "once", operator: "isEmpty" }, "BC"],
])("%j finds %j", async (condition, expected) => {
  expect(await namesOf(condition)).toBe(expected);
});

test.each<[string, string, string]>([
  ["day", "BAC", "ABC"],
  ["exact", "ABC", "BAC"],
  ["stars", "BAC", "ABC"],
  ["text", "BAC", "CAB"],
  ["folded", "BAC", "CAB"],
])("%s puts records in order", async (field, falling, rising) => {
  const all = { all: [] };
  expect(await namesOf(all, [{ field, direction: "desc" }])).toBe(falling);
  expect(await namesOf(all, [{ field, direction: "asc" }])).toBe(rising);
});

test.each<[RecordCondition, RegExp]>([
  [{ field: "day", operator: "equals", value: "2026-03-29T10:00:00Z" }, /takes a day/],
  [{ field: "day", operator: "equals", value: 7 }, /takes a day/],
  [{ field: "exact", operator: "equals", value: "1e3" }, /takes a number/],
  [{ field: "colours", operator: "contains", value: "red" }, /has no option "red"; did you mean "RED"/],
  [{ field: "colours", operator: "greaterThan", value: [] }, /has no order/],
  [{ field: "colours", operator: "in", value: ["RED"] }, /"contains" looks for an item in it/],
  [{ field: "stars", operator: "equals", value: 3 }, /has no option 3/],
  [{ field: "raw", operator: "lessThan", value: 1 }, /has no order/],
  [{ field: "raw", operator: "contains", value: "\u0000" }, /NUL/],
  [{ field: "key", operator: "equals", value: "key" }, /takes a UUID/],
  [{ field: "words", operator: "contains", value: 7 }, /takes text/],
])("%j is refused", async (condition, message) => {
  const { code, message: said } = await refusal(list(condition));
  expect([code, said]).toEqual(["invalid-filter", expect.stringMatching(message)]);
});
