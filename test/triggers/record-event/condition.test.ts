import { expect, test } from "vitest";
import { loadWorkspace } from "../../../src/catalog/workspaces.ts";
import { filterSql } from "../../../src/crm/filter.ts";
import { getObjects } from "../../../src/crm/load-objects.ts";
import { createObject } from "../../../src/crm/metadata/objects.ts";
import { recordJson } from "../../../src/crm/objects.ts";
import { createRecord, createWriter } from "../../../src/crm/operations.ts";
import {
  operators,
  recordConditionSchema,
  type EventCondition,
  type Operator,
  type RecordCondition,
} from "../../../src/definition/conditions.ts";
import { StepError } from "../../../src/errors.ts";
import type { Json, JsonObject } from "../../../src/json.ts";
import { createStatement } from "../../../src/sql.ts";
import { compileChangeTest } from "../../../src/triggers/record-event/condition.ts";
import type { Transition } from "../../../src/triggers/record-event/event.ts";
import { createCrm } from "../../crm/support.ts";
import { createTestDatabase } from "../../support/database.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool, { timeZone: "Pacific/Auckland" });
const options = ["RED", "GREEN", "BLUE"].map((value) => ({ value, label: `a ${value.toLowerCase()}` }));
await createObject(
  { pool, workspace: crm.workspace },
  {
    name: "thing",
    plural: "things",
    fields: [
      { name: "day", type: "DATE" },
      { name: "moment", type: "DATE_TIME" },
      { name: "exact", type: "NUMBER" },
      { name: "flag", type: "BOOLEAN" },
      { name: "colour", type: "SELECT", options },
      { name: "colours", type: "MULTI_SELECT", options },
      { name: "words", type: "ARRAY" },
      { name: "stars", type: "RATING" },
      { name: "raw", type: "RAW_JSON" },
      { name: "key", type: "UUID" },
      { name: "text", type: "TEXT" },
      { name: "folded", type: "TEXT", compares: "without-case" },
      { name: "once", type: "TEXT", unique: true },
      { name: "emails", type: "EMAILS" },
      { name: "site", type: "LINKS" },
      { name: "price", type: "CURRENCY" },
      { name: "address", type: "ADDRESS" },
      { name: "full", type: "FULL_NAME" },
    ],
  },
);
const workspace = await loadWorkspace(pool, crm.workspace.id);
const objects = await getObjects(pool, workspace);
const object = objects.find("thing")!;
const company = objects.find("company")!;
const writer = createWriter({ pool, workspace, objects, actor: { source: "API", name: "test" } });

const today = new Intl.DateTimeFormat("sv-SE", { timeZone: "Pacific/Auckland" }).format(new Date());
const things: JsonObject[] = [
  {
    name: "A",
    day: "2026-03-29",
    moment: "2026-03-29T10:00:00Z",
    exact: "12345678901234567890.5",
    flag: true,
    colour: "RED",
    colours: ["RED", "GREEN"],
    words: ["one", "Two"],
    stars: "RATING_2",
    raw: { a: { b: [1, 2] }, c: "x" },
    key: "0197f5f0-0000-7000-8000-00000000000a",
    text: "Äpfel und Birnen",
    folded: "Ärger",
    once: "first",
    emails: { primaryEmail: "Ada@Example.com", additionalEmails: ["Two@Example.com"] },
    site: {
      primaryLinkUrl: "https://www.Acme.example/path",
      secondaryLinks: [{ label: "Blog", url: "https://b.example" }],
    },
    price: { amountMicros: "9007199254740993", currencyCode: "EUR" },
    address: { addressCity: "Oslo", addressLat: 59.9 },
    full: { firstName: "Ada", lastName: "Lovelace" },
  },
  {
    name: "B",
    day: today,
    moment: new Date().toISOString(),
    exact: 0.1,
    flag: false,
    colour: "BLUE",
    colours: ["BLUE"],
    stars: "RATING_5",
    raw: [1, "two"],
    text: "äpfel",
    folded: "ärgerlich",
    emails: { primaryEmail: "ada@example.com" },
    site: { primaryLinkUrl: "acme.example" },
    price: { amountMicros: 0, currencyCode: "JPY" },
    address: { addressCity: "oslo", addressLat: -1 },
    full: { firstName: "ada" },
  },
  {
    name: "C",
    text: "𝒳 and ﬀ",
    folded: "zebra",
    raw: {},
    words: ["ONE"],
    site: { primaryLinkUrl: "http://other.example:80" },
  },
  { name: "D" },
];
for (const values of things) await createRecord(writer, { object, values });
const { rows: records } = await pool.query<{ record: JsonObject }>(
  `select ${recordJson(object, "t")} as record from ${object.table} t order by t.name`,
);

const paths = [
  "id",
  "createdAt",
  "createdBy.source",
  "position",
  ...object.fields.filter(({ id }) => id !== "").map(({ name }) => name),
  "emails.additionalEmails",
  "emails.primaryEmail",
  "site.primaryLinkLabel",
  "site.secondaryLinks",
  "price.amountMicros",
  "price.currencyCode",
  "address.addressLat",
  "address.addressCity",
  "full.firstName",
  "nothing",
  "emails.nothing",
  "text.sub",
  "full.firstName.more",
];

/** Values that somebody may compare a path with: those that records have there, and strangers. */
function valuesFor(path: string): Json[] {
  const [name = "", sub] = path.split(".");
  const own = records.map(({ record }) => {
    const value = record[name] ?? null;
    return sub === undefined ? value : ((value as JsonObject | null)?.[sub] ?? null);
  });
  const inner = own.flatMap((value) => (Array.isArray(value) ? value : []));
  const texts = own.flatMap((value) =>
    typeof value === "string" ? [value.toUpperCase(), value.slice(0, 2), value.slice(-2)] : [],
  );
  const strangers: Json[] = [
    null,
    "",
    0,
    1.5,
    "12345678901234567890.50",
    true,
    "a red",
    "Äp",
    "2026-03-29",
    ["RED"],
    { a: { b: [2] } },
    { days: 7 },
  ];
  const links: Json[] = ["WWW.ACME.EXAMPLE", "two@example.com", { url: "https://b.example" }, [], {}];
  return [...own, ...inner, ...texts, ...strangers, ...links];
}

interface Leaf {
  readonly field: string;
  readonly operator: Operator;
  readonly value?: Json;
}

function leavesFor(path: string): Leaf[] {
  return operators.flatMap((operator): Leaf[] => {
    if (operator === "isEmpty" || operator === "isNotEmpty") return [{ field: path, operator }];
    const values = valuesFor(path);
    const given = operator === "in" || operator === "notIn" ? [[], ...values.map((value) => [value, null])] : values;
    return given.map((value) => ({ field: path, operator, value }));
  });
}

/** Names of the records that the filter finds; undefined where it is refused. */
async function found(leaf: RecordCondition): Promise<string | undefined> {
  const statement = createStatement();
  try {
    const where = filterSql(leaf, { statement, objects, object, alias: "t", at: "condition", days: "refused" });
    const { text, values } = statement.query(`select name from ${object.table} t where ${where} order by name`);
    const { rows } = await pool.query<{ name: string }>(text, values);
    return rows.map(({ name }) => name).join("");
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    return undefined;
  }
}

/** Names of the records of which the condition holds as they are now; undefined where it is refused. */
function held(leaf: EventCondition): string | undefined {
  const { test: holds, issues } = compileChangeTest(leaf, { object, at: "condition" });
  if (issues.length > 0) return undefined;
  return records
    .filter(({ record }) => holds({ before: null, after: record }))
    .map(({ record }) => String(record["name"]))
    .join("");
}

test.each(paths)("a condition on %s holds of exactly the records that a filter finds", async (path) => {
  const differing: Json[] = [];
  let compared = 0;
  for (const leaf of leavesFor(path)) {
    if (!recordConditionSchema.safeParse(leaf).success) continue;
    compared += 1;
    const [sql, own] = [await found(leaf), held(leaf)];
    if (sql !== own) differing.push({ ...leaf, sql: sql ?? "refused", own: own ?? "refused" });
  }
  expect(differing).toEqual([]);
  expect(compared).toBeGreaterThan(50);
});

const alive = { id: "1", deletedAt: null };
const deal = (stage: string | null, rest: JsonObject = {}): JsonObject => ({ ...alive, colour: stage, ...rest });
const change = (before: JsonObject | null, after: JsonObject | null): Transition => ({ before, after });
const asked = (condition: EventCondition, transition: Transition): boolean => {
  const { test: holds, issues } = compileChangeTest(condition, { object, at: "condition" });
  expect(issues).toEqual([]);
  return holds(transition);
};

test.each<[string, Transition, boolean]>([
  ["a change to it", change(deal("RED"), deal("BLUE")), true],
  ["a change away from it", change(deal("BLUE"), deal("RED")), false],
  ["a later change of another field", change(deal("BLUE"), deal("BLUE", { text: "x" })), false],
  ["a creation with it", change(null, deal("BLUE")), true],
  ["a creation without it", change(null, deal(null)), false],
  ["a deletion", change(deal("BLUE"), deal("BLUE", { deletedAt: "2026-01-01T00:00:00.000Z" })), false],
  [
    "a record that was brought back",
    change(deal("BLUE", { deletedAt: "2026-01-01T00:00:00.000Z" }), deal("BLUE")),
    false,
  ],
  ["a destruction", change(deal("BLUE"), null), false],
])("became: %s", (_, transition, expected) => {
  expect(asked({ field: "colour", operator: "became", value: "BLUE" }, transition)).toBe(expected);
});

test("changed and changedFrom look at what was before, also within composites and in groups", () => {
  const emails = (primaryEmail: string): JsonObject => ({ ...alive, emails: { primaryEmail, additionalEmails: [] } });
  const other = change(emails("a@x.example"), emails("b@x.example"));
  expect(asked({ field: "emails", operator: "changed" }, other)).toBe(true);
  expect(asked({ field: "emails.additionalEmails", operator: "changed" }, other)).toBe(false);
  expect(asked({ field: "emails.primaryEmail", operator: "changedFrom", value: "A@X.example" }, other)).toBe(true);
  expect(asked({ field: "emails", operator: "became", value: "B@X.EXAMPLE" }, other)).toBe(true);
  expect(asked({ field: "colour", operator: "changed" }, change(null, deal(null)))).toBe(false);
  expect(asked({ field: "colour", operator: "changed" }, change(null, deal("RED")))).toBe(true);
  expect(asked({ field: "colour", operator: "changedFrom", value: "RED" }, change(deal("RED"), deal(null)))).toBe(true);
  const both: EventCondition = {
    all: [
      { field: "colour", operator: "changed" },
      { not: { any: [{ field: "colour", operator: "equals", value: "RED" }] } },
    ],
  };
  expect(asked(both, change(deal("RED"), deal("BLUE")))).toBe(true);
  expect(asked(both, change(deal("BLUE"), deal("RED")))).toBe(false);
});

test.each<[EventCondition, string]>([
  [
    { field: "colour", operator: "became", value: "a blue" },
    `condition: "colour" has no option "a blue"; did you mean "BLUE"?`,
  ],
  [
    { field: "colour", operator: "became", value: null },
    `condition: "became" takes a value. For "colour" that was emptied, ask that it "changed" and "isEmpty"`,
  ],
  [{ field: "coluor", operator: "changed" }, `condition: thing has no field "coluor"; did you mean "colour"?`],
  [
    { any: [{ field: "full", operator: "equals", value: "Ada" }] },
    `condition.any[0]: name a sub-field: "full.firstName"`,
  ],
])("says what is wrong with %j", (condition, message) => {
  const { issues } = compileChangeTest(condition, { object, at: "condition" });
  expect(issues.map((issue) => `${issue.path}: ${issue.message}`)).toEqual([message]);
});

test("a related record's field is refused, with what to do instead", () => {
  const condition: EventCondition = { field: "accountOwner.timeZone", operator: "equals", value: "UTC" };
  expect(compileChangeTest(condition, { object: company, at: "condition" }).issues).toEqual([
    {
      path: "condition",
      message:
        '"accountOwner.timeZone" is of a related record, and a trigger\'s condition looks at the company itself as it was at the event. Ask for it in a filter step: {{ trigger.record.accountOwner.timeZone }}',
    },
  ]);
});
