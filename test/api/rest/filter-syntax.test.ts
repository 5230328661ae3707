import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { comparators, parseFilter, type FilterNode } from "../../../src/api/rest/filter-syntax.ts";
import { ProblemError } from "../../../src/errors.ts";

function leaf(path: string, comparator: (typeof comparators)[number], value: string | string[]): FilterNode {
  return { kind: "leaf", path: path.split("."), comparator, value };
}

describe("what is understood", () => {
  test.each<[string, FilterNode]>([
    ["city[eq]:Bern", leaf("city", "eq", "Bern")],
    ['city[eq]:"Bern"', leaf("city", "eq", "Bern")],
    ["city[eq]:'Bern'", leaf("city", "eq", "Bern")],
    ['city[eq]:""', leaf("city", "eq", "")],
    ["city[eq]: New York ", leaf("city", "eq", "New York")],
    ["city[eq]:'s-Gravenhage", leaf("city", "eq", "'s-Gravenhage")],
    ['name.firstName[eq]:"O\'Neill, (Jr.)"', leaf("name.firstName", "eq", "O'Neill, (Jr.)")],
    [String.raw`city[eq]:"say \"no\" \\"`, leaf("city", "eq", String.raw`say "no" \ `.trim())],
    ["createdAt[gte]:2026-01-01T00:00:00Z", leaf("createdAt", "gte", "2026-01-01T00:00:00Z")],
    ["deletedAt[is]:NOT_NULL", leaf("deletedAt", "is", "NOT_NULL")],
    ['city[in]:["Bern", Basel,"St. Gallen, Stadt"]', leaf("city", "in", ["Bern", "Basel", "St. Gallen, Stadt"])],
    ["city[in]:[]", leaf("city", "in", [])],
    ["a[eq]:1,b[eq]:2", { kind: "and", items: [leaf("a", "eq", "1"), leaf("b", "eq", "2")] }],
    ["or(a[eq]:1,b[eq]:2)", { kind: "or", items: [leaf("a", "eq", "1"), leaf("b", "eq", "2")] }],
    ["not(a[eq]:1)", { kind: "not", items: [leaf("a", "eq", "1")] }],
    [
      " a[eq]:1 , or( b[eq]:2 , and(c[eq]:3,not(d[eq]:4)) ) ",
      {
        kind: "and",
        items: [
          leaf("a", "eq", "1"),
          {
            kind: "or",
            items: [
              leaf("b", "eq", "2"),
              { kind: "and", items: [leaf("c", "eq", "3"), { kind: "not", items: [leaf("d", "eq", "4")] }] },
            ],
          },
        ],
      },
    ],
    ["or[eq]:1", leaf("or", "eq", "1")],
  ])("%s", (source, node) => {
    expect(parseFilter(source)).toEqual(node);
  });
});

describe("what is refused, and where", () => {
  test.each<[string, string, number]>([
    [" ", "a field's name is expected", 2],
    ["city", 'a comparator in brackets is expected after "city"', 5],
    ["city:Bern", 'a comparator in brackets is expected after "city"', 5],
    ["city[equals]:Bern", 'unknown comparator "equals"; there are eq, neq', 6],
    ["city[startswit]:Bern", 'did you mean "startsWith"?', 6],
    ["city[eq]Bern", '"]:" is expected after "eq"', 8],
    ["city[eq]:", 'a value is expected; write "" for empty text', 10],
    ['city[eq]:"Bern', "the closing quote is missing", 10],
    ["city[eq]:[Bern]", '"eq" takes one value, not a list', 10],
    ["city[in]:Bern", '"in" takes a list', 10],
    ["city[in]:[Bern", 'the "]" of the list is missing', 15],
    ["city[in]:[Bern,]", "a value is expected", 16],
    ["or(city[eq]:Bern", 'the ")" of or(…) is missing', 17],
    ["and()", "a field's name is expected", 5],
    ["city[eq]:Bern,", "a field's name is expected", 15],
    ["city[eq]:Bern)", '")" is not expected here', 14],
    ["city[eq]:Acme (CH)", "put a value that holds , ( or ) in quotes", 15],
    ['city[eq]:"Bern"x', '"x" is not expected here', 16],
    [`${"not(".repeat(17)}a[eq]:1${")".repeat(17)}`, "nests more than 16 deep", 69],
    [`city[eq]:${"x".repeat(20_000)}`, "longer than 20000 characters", 1],
  ])("%s", (source, message, character) => {
    const fault = faultOf(source);
    expect(fault).toMatchObject({ status: 400, code: "invalid-filter" });
    expect(fault?.message).toContain(message);
    expect(fault?.message).toContain(`at character ${character},`);
  });
});

function faultOf(source: string): ProblemError | undefined {
  try {
    parseFilter(source);
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}

const name = fc.stringMatching(/^[a-zA-Z]\w{0,8}$/);
const path = fc.array(name, { minLength: 1, maxLength: 3 });
const value = fc.oneof(fc.string({ unit: "grapheme" }), fc.stringMatching(/^[\\"'[\](),:. ]{0,12}$/));
const single = fc.record({
  kind: fc.constant("leaf" as const),
  path,
  comparator: fc.constantFrom(...comparators.filter((word) => word !== "in" && word !== "containsAny")),
  value,
});
const several = fc.record({
  kind: fc.constant("leaf" as const),
  path,
  comparator: fc.constantFrom("in" as const, "containsAny" as const),
  value: fc.array(value, { maxLength: 4 }),
});
const { node } = fc.letrec<{ node: FilterNode }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 5, depthIdentifier: "filter" },
    single,
    several,
    fc.record({
      kind: fc.constantFrom("and" as const, "or" as const, "not" as const),
      items: fc.array(tie("node"), { minLength: 1, maxLength: 3, depthIdentifier: "filter" }),
    }),
  ),
}));

function write(item: FilterNode): string {
  if (item.kind !== "leaf") return `${item.kind}(${item.items.map(write).join(",")})`;
  const written = typeof item.value === "string" ? quote(item.value) : `[${item.value.map(quote).join(",")}]`;
  return `${item.path.join(".")}[${item.comparator}]:${written}`;
}

function quote(text: string): string {
  return `"${text.replace(/["\\]/g, String.raw`\$&`)}"`;
}

test("every filter that is written is read as what it was", () => {
  fc.assert(
    fc.property(node, (filter) => {
      expect(parseFilter(write(filter))).toEqual(filter);
    }),
    { numRuns: 500 },
  );
});

test("whatever text it gets, it reads it or says in one sentence what is wrong", () => {
  const pieces = fc.constantFrom(
    "a",
    "city",
    "[",
    "]",
    ":",
    ",",
    "(",
    ")",
    "and(",
    "or(",
    "not(",
    '"',
    "'",
    "\\",
    "in",
    "eq",
    " ",
    "\n",
    "é",
    "\ud800",
  );
  const damaged = fc.tuple(node, fc.nat(), fc.nat(3), pieces).map(([filter, at, cut, piece]) => {
    const text = write(filter);
    const place = at % (text.length + 1);
    return text.slice(0, place) + piece + text.slice(place + cut);
  });
  const anything = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(pieces).map((list) => list.join("")),
    damaged,
  );
  fc.assert(
    fc.property(anything, (source) => {
      const sentence = faultOf(source)?.message;
      expect(sentence === undefined || /^filter: .+ \(at character \d+, near ".*"\)\.$/su.test(sentence)).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("a filter of the greatest length is read in no time, whatever it repeats", () => {
  for (const piece of ["not(", "a[eq]:1,", '"', '\\"', "[", "a.", "and(or(", "a[in]:[1,"]) {
    const source = piece.repeat(20_000 / piece.length);
    const begun = performance.now();
    faultOf(source);
    faultOf(`a[eq]:"${source.slice(10)}`);
    expect(performance.now() - begun).toBeLessThan(1_000);
  }
});
