import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { forgetImports } from "../../src/crm/transfer/imports.ts";
import type { JsonObject } from "../../src/json.ts";
import { createTestDatabase } from "../support/database.ts";
import { startGateway, type Answer } from "./gateway.ts";

const { pool } = await createTestDatabase();
const { call, url, key, strangerKey } = await startGateway(pool);

async function begin(body: JsonObject): Promise<string> {
  const made = await call("POST", "/api/imports", { body });
  expect([made.status, made.text]).toEqual([201, expect.anything()]);
  return String(made.body["id"]);
}

async function send(
  id: string,
  raw: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return call("PUT", `/api/imports/${id}/data`, { raw, headers: { "content-type": "text/csv", ...headers } });
}

const refusedOf = async (id: string): Promise<JsonObject[]> =>
  (await call("GET", `/api/imports/${id}/refused`)).body["data"] as JsonObject[];

const recordsOf = async (plural: string, filter: string): Promise<JsonObject[]> => {
  const { body } = await call("GET", `/rest/${plural}?limit=200&filter=${encodeURIComponent(filter)}`);
  return (body["data"] as JsonObject)[plural] as JsonObject[];
};

test("a file of people goes where its columns say, and tells what became of each row", async () => {
  await call("POST", "/rest/companies", {
    body: { name: "Acme", domainName: { primaryLinkUrl: "https://www.acme.example" } },
  });
  const id = await begin({ object: "person", match: ["emails"] });
  const csv = [
    "First name,Last name,Email,job title,Company / Domain name,emails.additionalEmails",
    'Ada,Lovelace,ada@one.example,"Countess, Programmer",acme.example,a@x.example; b@x.example',
    'Grace,"Hopper ""Amazing""",GRACE@one.example,,,',
    "Ada,Byron,ADA@one.example,,,",
    "Nobody,Atall,no@one.example,,missing.example,",
    "Too,Few",
    "",
  ].join("\r\n");
  const done = await send(id, csv);
  expect(done.body).toMatchObject({ status: "completed", created: 2, updated: 1, unchanged: 0, refused: 2, row: 6 });
  expect(done.body["offset"]).toBe(Buffer.byteLength(csv));
  expect(await recordsOf("people", "emails.primaryEmail[like]:%one.example")).toEqual([
    expect.objectContaining({
      name: { firstName: "Ada", lastName: "Byron" },
      jobTitle: "Countess, Programmer",
      companyId: expect.any(String),
      emails: { primaryEmail: "ADA@one.example", additionalEmails: ["a@x.example", "b@x.example"] },
      createdBy: expect.objectContaining({ source: "IMPORT", name: "Tester" }),
    }),
    expect.objectContaining({ name: { firstName: "Grace", lastName: 'Hopper "Amazing"' } }),
  ]);
  expect(await refusedOf(id)).toEqual([
    {
      row: 5,
      code: "related-record-not-found",
      message: 'Company / Domain name: there is no company with domainName "missing.example".',
      issues: [expect.objectContaining({ path: "Company / Domain name" })],
      content: ["Nobody", "Atall", "no@one.example", null, "missing.example", null],
    },
    {
      row: 6,
      code: "unreadable-row",
      message: "The row has 2 cells, but the first row has 6.",
      issues: [],
      content: ["Too", "Few"],
    },
  ]);
});

test("a file of JSON lines", async () => {
  const id = await begin({ object: "opportunity", format: "json-lines", mapping: { value: "amount.amount" } });
  const lines = [
    '{"name":"One","value":"1234.5","amount.currencyCode":"EUR","stage":"MEETING"}',
    "",
    '{"name":"Two","stage":"nope"}',
    '{"name":"Three"',
    "[1]",
    '{"name":"Four","unknown":1}',
  ].join("\n");
  const { body } = await send(id, lines);
  expect(body).toMatchObject({ status: "completed", created: 1, refused: 4 });
  expect((await refusedOf(id)).map(({ row, code }) => [row, code])).toEqual([
    [3, "invalid-values"],
    [4, "unreadable-row"],
    [5, "unreadable-row"],
    [6, "invalid-values"],
  ]);
  expect(await recordsOf("opportunities", "name[eq]:One")).toMatchObject([
    { amount: { amountMicros: 1_234_500_000, currencyCode: "EUR" }, stage: "MEETING" },
  ]);
});

test("fields of one's own, of every type that texts are read as", async () => {
  const fields = [
    { name: "code", label: "Code", type: "TEXT", unique: true },
    { name: "grade", label: "Grade", type: "RATING" },
    { name: "since", label: "Since", type: "DATE" },
    { name: "weight", label: "Weight", type: "NUMBER", decimals: 3 },
    { name: "active", label: "Active", type: "BOOLEAN" },
    { name: "tags", label: "Tags", type: "MULTI_SELECT", options: [{ value: "BIG", label: "Rather big" }] },
    { name: "extra", label: "Extra", type: "RAW_JSON" },
  ];
  const made = await call("POST", "/api/objects", {
    body: { name: "machine", plural: "machines", label: "Machine", fields },
  });
  expect([made.status, made.text]).toEqual([201, expect.anything()]);
  const id = await begin({ object: "machine", match: ["code"], dates: "day-first", numbers: "comma" });
  const csv =
    'Code;Grade;Since;Weight;Active;Tags;Extra\nA1;4;1.2.2026;1.000,5;yes;rather big;"{""a"":1}"\n;;;1,2345;;;\nA1;5;;;;;\n';
  expect((await send(id, csv)).body).toMatchObject({ created: 1, updated: 1, refused: 1 });
  expect(await recordsOf("machines", "code[eq]:A1")).toMatchObject([
    {
      code: "A1",
      grade: "RATING_5",
      since: "2026-02-01",
      weight: 1000.5,
      active: true,
      tags: ["BIG"],
      extra: { a: 1 },
    },
  ]);
});

test("gzip", async () => {
  const id = await begin({ object: "company" });
  const csv = "name\nZipped one\nZipped two\n";
  const { body } = await send(id, new Uint8Array(gzipSync(csv)), { "content-encoding": "gzip" });
  expect(body).toMatchObject({ status: "completed", created: 2, offset: csv.length });
  const other = await begin({ object: "company" });
  const broken = await send(other, "name\nnot gzip", { "content-encoding": "gzip" });
  expect([broken.status, broken.body["code"]]).toEqual([400, "malformed-request"]);
});

describe("a file that is broken off", () => {
  const rows = Array.from({ length: 2_500 }, (_, i) => `Resumed ${i},${i}\n`);
  const csv = `name,employees\n${rows.join("")}`;

  test("goes on exactly where it was, from its beginning or from the offset", async () => {
    const id = await begin({ object: "company" });
    const first = await send(id, csv.slice(0, 20_000), { "upload-complete": "?0" });
    expect(first.body).toMatchObject({ status: "waiting" });
    const reached = first.body["created"] as number;
    expect(reached).toBeGreaterThan(100);
    const offset = first.body["offset"] as number;
    expect(csv.slice(0, offset).endsWith(`Resumed ${reached - 1},${reached - 1}\n`)).toBe(true);
    const second = await send(id, csv.slice(offset, offset + 20_001), {
      "upload-offset": String(offset),
      "upload-complete": "?0",
    });
    expect(second.body["created"]).toBeGreaterThan(reached);
    const wrong = await send(id, csv.slice(100), { "upload-offset": "100" });
    expect([wrong.status, wrong.headers.get("upload-offset")]).toEqual([409, String(second.body["offset"])]);
    const third = await send(id, csv);
    expect(third.body).toMatchObject({ status: "completed", created: 2_500, refused: 0, row: 2_501 });
    expect((await send(id, csv)).body).toEqual(third.body);
    const { body } = await call(
      "GET",
      `/rest/companies?limit=1&filter=${encodeURIComponent("name[startsWith]:Resumed")}`,
    );
    expect(body["totalCount"]).toBe(2_500);
  });

  test("is another file when it begins otherwise", async () => {
    const id = await begin({ object: "company" });
    await send(id, csv.slice(0, 20_000), { "upload-complete": "?0" });
    for (const other of [
      csv.replace("name,employees", "name,position"),
      csv.replaceAll("Resumed", "Another"),
      csv.slice(0, 5_000),
    ]) {
      const answer = await send(id, other);
      expect([answer.status, answer.body["code"]]).toEqual([409, "another-file"]);
    }
    expect((await call("GET", `/api/imports/${id}`)).body).toMatchObject({ status: "waiting" });
  });

  test("keeps what came whole when the connection breaks, and lets the next sender go on at once", async () => {
    const id = await begin({ object: "company" });
    const part = csv.replaceAll("Resumed", "Broken").slice(0, 30_000);
    const body = new ReadableStream<Uint8Array>({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode(part));
        await expect.poll(async () => (await call("GET", `/api/imports/${id}`)).body["status"]).toBe("receiving");
        const other = await send(id, csv);
        expect([other.status, other.body["code"]]).toEqual([409, "import-receiving"]);
        await expect
          .poll(async () => (await call("GET", `/api/imports/${id}`)).body["created"] as number)
          .toBeGreaterThanOrEqual(1_000);
        controller.error(new Error("cut"));
      },
    });
    const cut = fetch(`${url}/api/imports/${id}/data`, {
      method: "PUT",
      body,
      duplex: "half",
      headers: { authorization: `Bearer ${key}` },
    } as RequestInit);
    await expect(cut).rejects.toThrow("fetch failed");
    await expect.poll(async () => (await call("GET", `/api/imports/${id}`)).body["status"]).toBe("waiting");
    const { body: state } = await call("GET", `/api/imports/${id}`);
    expect(part.slice(0, Number(state["offset"])).endsWith("\n")).toBe(true);
    expect(part.length - Number(state["offset"])).toBeLessThan(30);
    expect((await send(id, csv.replaceAll("Resumed", "Broken"))).body).toMatchObject({
      status: "completed",
      created: 2_500,
    });
  });

  test("takes no more once it is cancelled, also in the middle", async () => {
    const id = await begin({ object: "company" });
    await send(id, csv.replaceAll("Resumed", "Cancelled").slice(0, 20_000), { "upload-complete": "?0" });
    const cancelled = await call("POST", `/api/imports/${id}/cancel`);
    expect(cancelled.body).toMatchObject({ status: "cancelled" });
    const answer = await send(id, csv.replaceAll("Resumed", "Cancelled"));
    expect([answer.status, answer.body["code"]]).toEqual([409, "import-cancelled"]);
  });
});

describe("refused", () => {
  test("rows come as a file that can be mended and sent again", async () => {
    const id = await begin({ object: "company", mapping: { Staff: "employees" } });
    await send(id, 'name;Staff\nGood;1\n"=Bad;";many\n;x"y\n');
    const file = await call("GET", `/api/imports/${id}/refused/file`);
    expect(file.headers.get("content-type")).toBe("text/csv; charset=utf-8");
    expect(file.text.split("\r\n")).toEqual([
      "name,Staff,_row,_reason",
      `"'=Bad;",many,3,"company.employees takes a number such as 1,234.50, but got ""many""."`,
      '";x""y",,4,The row has a quote where the cell does not begin with one in cell 2.',
      "",
    ]);
    const again = await begin({ object: "company", mapping: { Staff: "employees" } });
    const mended = file.text.replace("many", "12").replace(/\r\n";x.*\r\n/, "\r\n");
    expect((await send(again, mended)).body).toMatchObject({ created: 1, refused: 0 });
    expect(await recordsOf("companies", 'name[eq]:"=Bad;"')).toMatchObject([{ employees: 12 }]);
  });

  test("rows are paged", async () => {
    const id = await begin({ object: "company" });
    await send(id, `name,employees\n${Array.from({ length: 5 }, (_, i) => `n${i},x\n`).join("")}`);
    const rows: unknown[] = [];
    for (let cursor = ""; ;) {
      const { body } = await call("GET", `/api/imports/${id}/refused?limit=2${cursor}`);
      rows.push(...(body["data"] as JsonObject[]).map(({ row }) => row));
      if (body["nextCursor"] === null) break;
      cursor = `&cursor=${String(body["nextCursor"])}`;
    }
    expect(rows).toEqual([2, 3, 4, 5, 6]);
  });

  test.each([
    ["name,nmae", "nmae", /did you mean "name"/],
    ["name,Name", "Name", /goes where the column "name" goes/],
    ["name,company.name", "company.name", /no field/],
  ])("a first row %s is refused with the column, and nothing is read", async (header, path, message) => {
    const id = await begin({ object: "company" });
    const answer = await send(id, `${header}\nx,y\n`);
    expect(answer.body).toMatchObject({
      status: 422,
      code: "unusable-columns",
      issues: [{ path, message: expect.stringMatching(message) }],
    });
    expect((await send(id, "name\nmended\n")).body).toMatchObject({ status: "completed", created: 1 });
  });

  test.each([
    [{ object: "persn" }, "object", /did you mean "person"/],
    [{ object: "person", mapping: { a: "emails.primary" } }, "mapping.a", /sub-field/],
    [{ object: "person", mapping: { a: "company.name" } }, "mapping.a", /unique: company.id, company.domainName/],
    [{ object: "person", mapping: { a: "createdAt" } }, "mapping.a", /CRM itself/],
    [{ object: "person", match: ["mail"] }, "match[0]", /no field "mail"/],
    [{ object: "person", modes: { jobTitle: "append-unique" } }, "modes.jobTitle", /lists/],
  ])("an import %j is refused with the place", async (body, path, message) => {
    const answer = await call("POST", "/api/imports", { body });
    expect(answer.body).toMatchObject({ status: 422, issues: [{ path, message: expect.stringMatching(message) }] });
  });
});

test("what is strange in a file is refused row by row, and the rest is read", async () => {
  const id = await begin({ object: "company" });
  const file = Buffer.concat([
    Buffer.from("\ufeffname,employees\r\n"),
    Buffer.from("Latin "),
    Buffer.from([0xe9]),
    Buffer.from(',1\r\n"open,2\r\nAfter it,3\r\n"two\r\nlines",4\r\n,,\r\n'),
    Buffer.from(`${"x".repeat(5 * 1024 * 1024)},1\r\nNul \0,5\r\nLast,6`),
  ]);
  expect((await send(id, new Uint8Array(file))).body).toMatchObject({ status: "completed", created: 3, refused: 4 });
  expect((await refusedOf(id)).map(({ row, message }) => [row, message])).toEqual([
    [2, "The row is not valid UTF-8; save the file as UTF-8."],
    [3, "The row has a quote that is never closed in cell 1."],
    [7, "The row is longer than 4 MiB."],
    [8, expect.stringMatching(/NUL/)],
  ]);
  const utf16 = await send(await begin({ object: "company" }), new Uint8Array(Buffer.from("\ufeffname\nx", "utf16le")));
  expect([utf16.status, utf16.body["code"]]).toEqual([422, "unreadable-file"]);
  const empty = await send(await begin({ object: "company" }), "\n\n");
  expect([empty.status, empty.body["code"]]).toEqual([422, "unreadable-file"]);
});

test("an import that nothing was done with for long is forgotten, with its refused rows", async () => {
  const [old, young] = [await begin({ object: "company" }), await begin({ object: "company" })];
  await send(old, "name,employees\nx,y\n");
  await pool.query("update tandem.imports set updated_at = now() - interval '31 days' where id = $1", [old]);
  expect(await forgetImports(pool, new Date(Date.now() - 30 * 86_400_000))).toBe(1);
  expect((await call("GET", `/api/imports/${old}`)).status).toBe(404);
  expect((await call("GET", `/api/imports/${young}`)).status).toBe(200);
});

test("another workspace sees nothing of an import", async () => {
  const id = await begin({ object: "company" });
  const stranger = await strangerKey();
  for (const [method, path] of [
    ["GET", ""],
    ["PUT", "/data"],
    ["POST", "/cancel"],
    ["GET", "/refused"],
    ["GET", "/refused/file"],
  ] as const)
    expect((await call(method, `/api/imports/${id}${path}`, { key: stranger })).status).toBe(404);
  expect((await call("GET", "/api/imports", { key: stranger })).body["data"]).toEqual([]);
});
