import { createHash, createHmac } from "node:crypto";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { expect, test } from "vitest";
import { filters } from "../../src/definition/expressions/filters.ts";
import { ValueFault } from "../../src/definition/expressions/values.ts";
import type { Json } from "../../src/json.ts";
import { createTestCode, giving } from "./support.ts";

const code = createTestCode();
const seed = 20_261_124;

const camelCase = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** What filters are given: of each kind something that some filter likes. */
const values: fc.Arbitrary<Json> = fc.oneof(
  fc.constantFrom<Json>(
    null,
    true,
    "",
    "a,b",
    " x ",
    "é🙂",
    "12",
    "9007199254740993",
    "1.50",
    0,
    -1,
    2.5,
    1e21,
    3,
    "2026-03-28",
    "2026-03-29T00:30:00Z",
    "2026-10-25T02:30:00+01:00",
    "2026-02-30",
    "9999-12-31",
    "Europe/Berlin",
    "Pacific/Auckland",
    "Mars/Olympus",
    "EUR",
    "JPY",
    "KWD",
    "XXX",
    "%Y-%m-%d %H:%M",
    "%-d. %B %A",
    "%q",
    [1, 2, 3],
    ["b", "a", null],
    [{ a: 1, b: { c: 2 } }, { a: null }],
    [[1], [2, [3]]],
    { a: 1 },
    "a",
    "b.c",
  ),
  fc.integer(),
  fc.string({ maxLength: 8 }),
  fc.array(fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom("a", "b", null)), { maxLength: 5 }),
);

test("every filter is a helper, and gives and refuses what it does in expressions", { timeout: 120_000 }, async () => {
  const cases = Object.entries(filters).flatMap(
    ([
      name,
      {
        takes: [fewest, most],
      },
    ]) =>
      fc
        .sample(fc.tuple(values, fc.array(values, { minLength: fewest, maxLength: most })), { seed, numRuns: 60 })
        .map(([value, args]) => ({ name, value, args })),
  );
  const source = `export default (cases) => cases.map(({ name, value, args }) => {
    try { return { gives: globalThis[name](value, ...args) ?? null }; } catch (error) { return { refuses: error.message }; }
  });`;
  const found = await code.value(
    source,
    cases.map((one) => ({ ...one, name: camelCase(one.name) })),
  );
  // What "now" is, and in which order a sort meets its items, nobody can say of both.
  const isTimeless = ({ name, args }: (typeof cases)[number]): boolean => name !== "days_until" || args.length > 0;
  const toldAs = (text: string | undefined): string | undefined =>
    text?.replace(/sort cannot order .*"/, 'sort cannot order"');
  const expected = cases.map(({ name, value, args }) => {
    try {
      return { gives: filters[name]?.run(value, args, { timeZone: "Europe/Berlin", now: new Date(), spend() {} }) };
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      return { refuses: error.message.replace(name, camelCase(name)) };
    }
  });
  const differing = cases.flatMap((one, i) =>
    isTimeless(one) && toldAs(JSON.stringify((found as Json[])[i])) !== toldAs(JSON.stringify(expected[i]))
      ? [{ ...one, found: (found as Json[])[i], expected: expected[i] }]
      : [],
  );
  expect(differing).toEqual([]);
  expect(expected.filter((one) => "gives" in one).length).toBeGreaterThan(300);
});

test("a helper says what it takes", async () => {
  const refusal = (expression: string) => code.call(giving(expression));
  expect(await refusal('addDays("2026-01-01")')).toMatchObject({
    message: "TypeError: addDays takes a value and 1 to 2 more",
  });
  expect(await refusal("sum(1)")).toMatchObject({ message: "TypeError: sum takes a list, but got a number" });
  expect(await refusal("sha256(1)")).toMatchObject({ message: "TypeError: sha256 takes text" });
  expect(await refusal('sha256("a", "utf16")')).toMatchObject({
    message: "TypeError: a hash is written as hex, base64, base64url",
  });
});

test("dates are reckoned in the workspace's zone, unless one is named", async () => {
  expect(
    await code.value(
      giving(
        '[startOfDay("2026-07-01T10:00:00Z"), startOfDay("2026-07-01T10:00:00Z", "Asia/Tokyo"), new Date(0).getTimezoneOffset()]',
      ),
    ),
  ).toEqual(["2026-06-30T22:00:00.000Z", "2026-06-30T15:00:00.000Z", 0]);
});

test("ids, hashes and base64 are what they are elsewhere", async () => {
  const text = "Grüße 🙂";
  const found = (await code.value(
    giving(`{
    ids: [uuid(), uuid()], sha256: sha256(input), sha1: sha1(input, "base64"), md5: md5(input), sha512: sha512(input, "base64url"),
    hmac: hmacSha256("key", input), hmac1: hmacSha1("key", input, "base64"),
    base64: base64Encode(input), back: base64Decode(base64Encode(input)), url: base64UrlDecode(base64UrlEncode(input)),
  }`),
    text,
  )) as Record<string, Json> & { ids: string[] };
  const { ids, ...rest } = found;
  expect(new Set(ids).size).toBe(2);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(rest).toEqual({
    sha256: createHash("sha256").update(text).digest("hex"),
    sha1: createHash("sha1").update(text).digest("base64"),
    md5: createHash("md5").update(text).digest("hex"),
    sha512: createHash("sha512").update(text).digest("base64url"),
    hmac: createHmac("sha256", "key").update(text).digest("hex"),
    hmac1: createHmac("sha1", "key").update(text).digest("base64"),
    base64: Buffer.from(text).toString("base64"),
    back: text,
    url: text,
  });
  expect(await code.call(giving('base64Decode("a*")'))).toMatchObject({ message: "TypeError: this is no base64" });
  expect(await code.call(giving('base64Decode("/w==")'))).toMatchObject({
    message: "TypeError: what this base64 holds is no text",
  });
});

const cell = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom("", 'a"b', "a,b", "a\nb", "a\r\nb", " a ", "=1+1", "a;b"),
);

test("CSV that is written is read as it was, also by others", async () => {
  const tables = fc.sample(
    fc.tuple(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(",", ";", "\t"),
    ),
    { seed, numRuns: 60 },
  );
  const written = (await code.value(
    giving(
      "input.map(([rows, delimiter]) => { const text = formatCsv(rows, { delimiter }); return [text, parseCsv(text, { delimiter, header: false })]; })",
    ),
    tables,
  )) as Array<[string, string[][]]>;
  for (const [i, [rows = [], delimiter = ","]] of tables.entries()) {
    const [text, read] = written[i] ?? ["", []];
    expect(read).toEqual(rows);
    expect(parse(text, { delimiter, relax_column_count: true, skip_empty_lines: false, bom: false })).toEqual(rows);
  }
});

test("CSV with a header gives objects, and names the line of what is wrong", async () => {
  const read = (text: string) => code.call("export default (text) => parseCsv(text);", text);
  expect(
    await code.value("export default (text) => parseCsv(text);", '\uFEFFname,note\r\nAda,"x, ""y""\nz"\r\n\r\nBo\n'),
  ).toEqual([
    { name: "Ada", note: 'x, "y"\nz' },
    { name: "Bo", note: "" },
  ]);
  expect(await read('a,b\n1,"2')).toMatchObject({
    message: "TypeError: parseCsv: line 2 has a quote that is never closed, after 1 rows",
  });
  expect(await read('a,b\n"1"x,2')).toMatchObject({
    message: "TypeError: parseCsv: line 2 has text behind a closing quote",
  });
  expect(await read("a,b\n1,2,3")).toMatchObject({
    message: "TypeError: parseCsv: row 1 has 3 cells, and the header names 2",
  });
  expect(await read("a,a\n1,2")).toMatchObject({ message: 'TypeError: parseCsv: the header names "a" twice' });
});

test("what a spreadsheet would reckon with is disarmed where that is asked", async () => {
  const rows = '[{ name: "=1+1", phone: "+49 30 1", note: "-x", count: -1, list: [1], none: null }]';
  expect(await code.value(giving(`formatCsv(${rows}, { formulaSafe: true })`))).toBe(
    "name,phone,note,count,list,none\r\n'=1+1,+49 30 1,'-x,-1,[1],\r\n",
  );
  expect(
    await code.value(giving(`formatCsv(${rows}, { columns: ["note", "name"], header: false, delimiter: ";" })`)),
  ).toBe("-x;=1+1\r\n");
});
