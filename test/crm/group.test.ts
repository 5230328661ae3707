import { describe, expect, test } from "vitest";
import { groupRecords, type GroupRequest } from "../../src/crm/group.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm, refusal } from "./support.ts";

const { pool } = await createTestDatabase();
const { objects, object, make } = await createCrm(pool, { timeZone: "Europe/Zurich" });

const acme = await make("company", { name: "Acme", employees: 10, idealCustomerProfile: true });
const beta = await make("company", { name: "Beta", employees: 20 });
const euros = (amount: string | number) => ({ amountMicros: amount, currencyCode: "EUR" });
// A Wednesday, and the next day: 23:30 in UTC is half past midnight in Zurich.
const deals = [
  { name: "A", stage: "NEW", companyId: acme.id, amount: euros(1000), closeDate: "2025-02-05T08:00:00Z" },
  { name: "B", stage: "NEW", companyId: acme.id, amount: euros(2500), closeDate: "2025-02-05T23:30:00Z" },
  { name: "C", stage: "NEW", companyId: beta.id, closeDate: "2025-02-06T08:00:00Z" },
  {
    name: "D",
    stage: "SCREENING",
    companyId: beta.id,
    amount: euros("9007199254740993"),
    closeDate: "2025-03-31T08:00:00Z",
  },
];
for (const deal of deals) await make("opportunity", deal);

const group = async (request: Partial<GroupRequest> & { of?: string }) => {
  const { of = "opportunity", ...rest } = request;
  const found = await groupRecords(pool, { objects, object: object(of), by: [], aggregates: [], limit: 200, ...rest });
  return found.map(({ values, total, aggregates, records }) => ({
    values,
    total,
    ...aggregates,
    ...(records === undefined ? {} : { records: records.map(({ name }) => name) }),
  }));
};

describe("groups", () => {
  test("are made by a field, a sub-field, or what a relation leads to", async () => {
    expect(await group({ by: [{ path: ["stage"] }] })).toEqual([
      { values: ["NEW"], total: 3 },
      { values: ["SCREENING"], total: 1 },
    ]);
    expect(await group({ by: [{ path: ["amount", "currencyCode"] }] })).toEqual([
      { values: [""], total: 1 },
      { values: ["EUR"], total: 3 },
    ]);
    expect(await group({ by: [{ path: ["company", "name"] }, { path: ["stage"] }] })).toEqual([
      { values: ["Acme", "NEW"], total: 2 },
      { values: ["Beta", "NEW"], total: 1 },
      { values: ["Beta", "SCREENING"], total: 1 },
    ]);
  });

  test.each([
    ["DAY", ["2025-02-04T23:00:00.000Z", "2025-02-05T23:00:00.000Z", "2025-03-30T22:00:00.000Z"]],
    ["WEEK", ["2025-02-02T23:00:00.000Z", "2025-03-30T22:00:00.000Z"]],
    ["MONTH", ["2025-01-31T23:00:00.000Z", "2025-02-28T23:00:00.000Z"]],
    ["QUARTER", ["2024-12-31T23:00:00.000Z"]],
    ["YEAR", ["2024-12-31T23:00:00.000Z"]],
    ["DAY_OF_THE_WEEK", ["Monday", "Wednesday", "Thursday"]],
    ["MONTH_OF_THE_YEAR", ["February", "March"]],
    ["QUARTER_OF_THE_YEAR", ["Q1"]],
  ] as const)("by %s are of the workspace's calendar", async (granularity, values) => {
    const found = await group({ by: [{ path: ["closeDate"], granularity }] });
    expect(found.map((each) => each.values[0])).toEqual(values);
  });

  test("may be of another zone's calendar", async () => {
    const found = await group({ by: [{ path: ["closeDate"], granularity: "DAY", timeZone: "UTC" }] });
    expect(found.map(({ values, total }) => [values[0], total])).toEqual([
      ["2025-02-05T00:00:00.000Z", 2],
      ["2025-02-06T00:00:00.000Z", 1],
      ["2025-03-31T00:00:00.000Z", 1],
    ]);
  });

  test("have figures, exact beyond what a double holds", async () => {
    const aggregates = [
      "sumAmountAmountMicros",
      "avgAmountAmountMicros",
      "minCloseDate",
      "countEmptyAmount",
      "countUniqueValuesCompanyId",
    ];
    expect(await group({ by: [{ path: ["stage"] }], aggregates })).toEqual([
      {
        values: ["NEW"],
        total: 3,
        sumAmountAmountMicros: 3500,
        avgAmountAmountMicros: 1750,
        minCloseDate: "2025-02-05T08:00:00.000Z",
        countEmptyAmount: 1,
        countUniqueValuesCompanyId: 2,
      },
      {
        values: ["SCREENING"],
        total: 1,
        sumAmountAmountMicros: "9007199254740993",
        avgAmountAmountMicros: "9007199254740993",
        minCloseDate: "2025-03-31T08:00:00.000Z",
        countEmptyAmount: 0,
        countUniqueValuesCompanyId: 1,
      },
    ]);
    const companies = [
      "maxEmployees",
      "countTrueIdealCustomerProfile",
      "countFalseIdealCustomerProfile",
      "percentageEmptyDomainName",
    ];
    expect(await group({ of: "company", by: [{ path: ["deletedAt"] }], aggregates: companies })).toEqual([
      {
        values: [null],
        total: 2,
        maxEmployees: 20,
        countTrueIdealCustomerProfile: 1,
        countFalseIdealCustomerProfile: 1,
        percentageEmptyDomainName: 1,
      },
    ]);
  });

  test("are put in order by a figure or by what they are of, and bounded", async () => {
    const by = [{ path: ["closeDate"], granularity: "DAY_OF_THE_WEEK" as const }];
    const found = await group({ by, order: [{ by: "totalCount", direction: "desc", nulls: "last" }], limit: 2 });
    expect(found).toEqual([
      { values: ["Thursday"], total: 2 },
      { values: ["Monday"], total: 1 },
    ]);
    const back = await group({ by, order: [{ by: 0, direction: "desc", nulls: "last" }] });
    expect(back.map(({ values }) => values[0])).toEqual(["Thursday", "Wednesday", "Monday"]);
  });

  test("show the first of their records, and only of those that match", async () => {
    const found = await group({
      by: [{ path: ["stage"] }],
      where: (_statement, alias) => `${alias}.stage = 'NEW'`,
      sample: { limit: 2, sort: [{ field: "name", direction: "desc", nulls: "last" }] },
    });
    expect(found).toEqual([{ values: ["NEW"], total: 3, records: ["C", "B"] }]);
  });

  test("leave out what has no value where that is asked for", async () => {
    const by = [{ path: ["pointOfContactId"] }];
    expect(await group({ by })).toEqual([{ values: [null], total: 4 }]);
    expect(await group({ by, omitNulls: true })).toEqual([]);
  });

  test.each([
    [{ by: [{ path: ["amount"] }] }, 'group_by[0]: "amount" has no groups'],
    [{ by: [{ path: ["stages"] }] }, 'opportunity has no field "stages"; did you mean "stage"?'],
    [{ by: [{ path: ["stage"], granularity: "DAY" as const }] }, '"stage" is no date'],
    [{ by: [{ path: ["stage"] }], aggregates: ["sumName"] }, '"sum" is of numbers, and name is none'],
    [{ by: [{ path: ["stage"] }], aggregates: ["sumAmountAmountMicro"] }, 'did you mean "sumAmountAmountMicros"?'],
    [
      { by: [{ path: ["stage"] }], order: [{ by: "sumX", direction: "asc" as const, nulls: "last" as const }] },
      'order_by: "sumX" is no figure that is asked for',
    ],
  ])("%j is refused", async (request, message) => {
    expect(await refusal(group(request))).toMatchObject({
      code: "invalid-filter",
      message: expect.stringContaining(message),
    });
  });
});
