import { expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";

const { pool } = await createTestDatabase();

async function start() {
  const { call } = await startGateway(pool);
  return {
    call: (method: string, path: string, body: Json) => call(method, path, { body }),
    async ok(method: string, path: string, body?: Json): Promise<JsonObject> {
      const answer = await call(method, path, body === undefined ? {} : { body });
      if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return answer.body;
    },
  };
}

test("a field may have any name, also one that statements or Postgres itself use", async () => {
  const { ok } = await start();
  const names = [
    "n",
    "v",
    "gone",
    "fields",
    "changedFields",
    "wanted",
    "before",
    "select",
    "user",
    "xmin",
    "createdAT",
  ];
  const fields = names.map((name) => ({ name, type: "TEXT" }));
  await ok("POST", "/api/objects", { name: "order", plural: "group", fields });
  await ok("POST", "/api/objects/order/fields", { name: "company", type: "RELATION", object: "company" });
  const { data: company } = await ok("POST", "/rest/companies", { name: "Acme" });
  const { id } = (company as { createCompany: { id: string } }).createCompany;
  const values = Object.fromEntries(names.map((name) => [name, `${name} 1`]));
  await ok("POST", "/rest/batch/group", [{ ...values, name: "One", companyId: id }]);
  const changed = Object.fromEntries(names.map((name) => [name, `${name} 2`]));
  await ok("POST", "/rest/batch/group?upsert=true&match=name", [{ ...changed, name: "One" }]);
  await ok("DELETE", `/rest/companies/${id}`);
  const { data } = await ok("GET", "/rest/group");
  expect(data).toMatchObject({ group: [{ ...changed, companyId: null }] });
});

test("values stay unique where the names of two objects and fields run together", async () => {
  const { ok, call } = await start();
  const unique = (name: string) => [{ name, type: "TEXT", unique: true, indexed: true }];
  await ok("POST", "/api/objects", { name: "order", plural: "orders", fields: unique("lineCode") });
  await ok("POST", "/api/objects", { name: "orderLine", plural: "orderLines" });
  await ok("POST", "/api/objects/orderLine/fields", { name: "code", type: "TEXT", unique: true });
  await ok("POST", "/rest/orderLines", { code: "1" });
  const twice = await call("POST", "/rest/orderLines", { code: "1" });
  expect(twice.body).toMatchObject({ status: 400, code: "record-exists" });
  await ok("PATCH", "/api/objects/orderLine/fields/code", { unique: false });
  await ok("POST", "/rest/orders", { lineCode: "1" });
  const other = await call("POST", "/rest/orders", { lineCode: "1" });
  expect(other.body).toMatchObject({ status: 400, code: "record-exists" });
});

test("names that Postgres would cut to the same stay two", async () => {
  const { ok } = await start();
  const [one, other] = ["cD", "eF"].map((end) => `${"aB".repeat(29)}${end}`);
  await ok("POST", "/api/objects", { name: one ?? "", plural: "ones", fields: [{ name: other ?? "", type: "TEXT" }] });
  await ok("POST", "/api/objects", { name: other ?? "", plural: "others" });
  await ok("POST", "/api/objects/ones/fields", { name: `${"aB".repeat(29)}gH`, type: "TEXT", unique: true });
  await ok("POST", "/rest/ones", { [other ?? ""]: "x", [`${"aB".repeat(29)}gH`]: "y" });
  await ok("POST", "/rest/others", { name: "z" });
  const { data } = await ok("GET", "/rest/ones");
  expect(data).toMatchObject({ ones: [{ [other ?? ""]: "x", [`${"aB".repeat(29)}gH`]: "y" }] });
});
