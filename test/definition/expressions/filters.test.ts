import { describe, expect, test } from "vitest";
import { filterNames } from "../../../src/definition/expressions.ts";
import type { Json } from "../../../src/json.ts";
import { evaluate, failureOf } from "./support.ts";

/** A filter with its arguments, what it is given, and what it gives. */
type Row = readonly [filter: string, given: Json, gives: Json];

const people = [
  { name: "Ada", age: 36, address: { city: "London" }, tags: ["x"] },
  { name: "Bo", age: null, address: { city: "Bonn" }, tags: [] },
  { name: "Cy", address: null },
];

const gives: readonly Row[] = [
  ["upcase", "straße", "STRASSE"],
  ["upcase", 5, "5"],
  ["downcase", "ÄB", "äb"],
  ["strip", " \t a b \n", "a b"],
  ["append: '!'", "a", "a!"],
  ["append: 1", "a", "a1"],
  ["replace: 'a', 'b'", "aXa", "bXb"],
  ["replace: '.', '$&'", "a.b", "a$&b"],
  ["replace: 'x', ''", "axb", "ab"],
  ["split: ','", "a,b,,c", ["a", "b", "", "c"]],
  ["split: ''", "a🙂", ["a", "🙂"]],
  ["split: ','", "", []],
  ["slice: 1", "abc", "b"],
  ["slice: 1, 5", "a🙂c", "🙂c"],
  ["slice: -2, 1", "abc", "b"],
  ["slice: -9, 1", "abc", "a"],
  ["slice: 9, 1", "abc", ""],
  ["slice: 0, 0", "abc", ""],
  ["slice: 1, 2", [1, 2, 3, 4], [2, 3]],
  ["slice: -1", [1, 2, 3], [3]],
  ["json", { a: [1, null, "x"] }, '{"a":[1,null,"x"]}'],
  ["json", "a", '"a"'],
  ["json", null, "null"],
  ["map: 'name'", people, ["Ada", "Bo", "Cy"]],
  ["map: 'age'", people, [36, null, null]],
  ["map: 'address.city'", people, ["London", "Bonn", null]],
  ["map: 'x'", ["text", 1, null, { x: 2 }], [null, null, null, 2]],
  ["where: 'name', 'Bo' | map: 'name'", people, ["Bo"]],
  ["where: 'age' | map: 'name'", people, ["Ada"]],
  ["where: 'age', null | map: 'name'", people, ["Bo", "Cy"]],
  ["where: 'address.city', 'London' | size", people, 1],
  ["where: 'tags', item | size", people, 1],
  ["sum", [1, 2, 3], 6],
  ["sum", [0.1, 0.2, null], 0.3],
  ["sum", [], 0],
  ["sum: 'age'", people, 36],
  ["sum", ["9007199254740993", 1], "9007199254740994"],
  ["first", [1, 2], 1],
  ["first", [], null],
  ["last", [1, 2], 2],
  ["last", [], null],
  ["size", "a🙂", 2],
  ["size", [1, 2, 3], 3],
  ["size", "", 0],
  ["uniq", [1, "1", 1, null, null, { a: 1, b: 2 }, { b: 2, a: 1 }], [1, "1", null, { a: 1, b: 2 }]],
  ["uniq: 'address.city' | size", [...people, ...people], 3],
  ["join", ["a", 1, true], "a 1 true"],
  ["join: ', '", ["a", "b"], "a, b"],
  ["join", [], ""],
  ["concat: list", [1], [1, 7, 8]],
  ["compact", [1, null, "", false, 0], [1, "", false, 0]],
  ["flatten", [1, [2, [3]], []], [1, 2, [3]]],
  ["sort", [3, 1, null, 2], [1, 2, 3, null]],
  ["sort", ["b", "a", "B"], ["B", "a", "b"]],
  ["sort: 'name' | first | json", [{ name: "b" }, { name: "a" }], '{"name":"a"}'],
  ["plus: 2", 1, 3],
  ["plus: 0.2", 0.1, 0.3],
  ["plus: 1", "9007199254740993", "9007199254740994"],
  ["plus: 1", 9007199254740991, "9007199254740992"],
  ["minus: 1", "9007199254740992", 9007199254740991],
  ["minus: 0.1", 0.3, 0.2],
  ["times: 3", 1.1, 3.3],
  ["times: '9007199254740993'", 2, "18014398509481986"],
  ["divided_by: 4", 10, 2.5],
  ["divided_by: 3", 1, 0.3333333333333333],
  ["divided_by: 0.1", 0.3, 3],
  ["divided_by: 2", "18014398509481986", "9007199254740993"],
  ["divided_by: -2", 7, -3.5],
  ["round", 2.5, 3],
  ["round", -2.5, -3],
  ["round", -0.4, 0],
  ["round: 2", 1.005, 1.01],
  ["round: 2", 10.235, 10.24],
  ["round: 1", 4, 4],
  ["round", "9007199254740993", "9007199254740993"],
  ["as_integer", "0042", 42],
  ["as_integer", 7, 7],
  ["as_integer", "9007199254740993", "9007199254740993"],
  ["to_micros: 'EUR'", 12.34, 12_340_000],
  ["to_minor_units: 'EUR'", 12.34, 1234],
];

/** What each filter refuses, with what it says. */
const refuses: ReadonlyArray<readonly [filter: string, given: Json, says: RegExp]> = [
  ["upcase", null, /upcase takes text, but got null/],
  ["upcase", [], /upcase takes text, but got a list/],
  ["downcase", {}, /downcase takes text, but got an object/],
  ["strip", null, /strip takes text, but got null/],
  ["append: none", "a", /append takes text, but got null/],
  ["append: 'a'", null, /append takes text, but got null/],
  ["replace: '', 'b'", "a", /replace looks for some text/],
  ["replace: 'a', none", "a", /replace takes text, but got null/],
  ["split: ','", ["a"], /split takes text, but got a list/],
  ["slice: 'x'", "abc", /slice takes a number/],
  ["slice: 0.5", "abc", /slice takes a whole number/],
  ["slice: 0, -1", "abc", /slice takes a whole number between 0/],
  ["slice: 0", null, /slice takes text, but got null/],
  ["map: 'a'", null, /map takes a list, but got null/],
  ["map: none", [], /map takes text, but got null/],
  ["where: 'a'", "text", /where takes a list, but got text/],
  ["sum", null, /sum takes a list, but got null/],
  ["sum", [1, "x"], /sum takes a number, but got the text "x"/],
  ["sum", [true], /sum takes a number, but got true or false/],
  ["first", null, /first takes a list, but got null/],
  ["first", "abc", /first takes a list, but got text/],
  ["last", {}, /last takes a list, but got an object/],
  ["size", null, /size takes text or a list, but got null/],
  ["size", { a: 1 }, /size takes text or a list, but got an object/],
  ["size", 5, /size takes text or a list, but got a number/],
  ["uniq", null, /uniq takes a list, but got null/],
  ["join", null, /join takes a list, but got null/],
  ["join", ["a", null], /join takes text, but got null/],
  ["join", [{}], /join takes text, but got an object/],
  ["concat: none", [], /concat takes a list, but got null/],
  ["concat: list", null, /concat takes a list, but got null/],
  ["compact", null, /compact takes a list, but got null/],
  ["flatten", "a", /flatten takes a list, but got text/],
  ["sort", null, /sort takes a list, but got null/],
  ["sort", [1, "a"], /sort cannot order/],
  ["plus: 1", null, /plus takes a number, but got null/],
  ["plus: 1", "1.5", /plus takes a number, but got the text "1.5"/],
  ["plus: 1", "", /plus takes a number, but got the text ""/],
  ["plus: 1", " 1", /plus takes a number/],
  ["plus: 1", true, /plus takes a number, but got true or false/],
  ["plus: none", 1, /plus takes a number, but got null/],
  ["minus: 'x'", 1, /minus takes a number, but got the text "x"/],
  ["times: list", 1, /times takes a number, but got a list/],
  ["times: 1.5", "9007199254740993", /too large to keep its decimals exactly/],
  ["divided_by: 0", 1, /divided_by cannot divide by 0/],
  ["divided_by: '0'", 1, /divided_by cannot divide by 0/],
  ["divided_by: 1", null, /divided_by takes a number, but got null/],
  ["round", null, /round takes a number, but got null/],
  ["round: 13", 1, /round takes a whole number between 0 and 12/],
  ["as_integer", 1.5, /as_integer takes a whole number, but got 1.5/],
  ["as_integer", "1.0", /as_integer takes a number, but got the text "1.0"/],
  ["as_integer", null, /as_integer takes a number, but got null/],
  ["to_micros: 'EUR'", null, /to_micros takes an amount such as 12.5, but got null/],
  ["to_minor_units: 'EUR'", "12,5", /to_minor_units takes an amount such as 12.5, but got the text "12,5"/],
  ["to_minor_units: 'EUR'", 1.005, /to_minor_units keeps 2 decimals, but 1.005 has more/],
  ["to_minor_units: 'JPY'", 0.5, /to_minor_units keeps 0 decimals/],
  ["to_micros: 'EURO'", 1, /to_micros does not know the currency "EURO"/],
  ["to_minor_units: none", 1, /to_minor_units takes text, but got null/],
  ["add_days: 1", null, /add_days takes a date such as .*, but got null/],
  ["add_days: none", "2026-01-01", /add_days takes a number, but got null/],
  ["add_days: 0.5", "2026-01-01", /add_days takes a whole number/],
  ["add_days: 1", "01.02.2026", /add_days takes a date such as .*, but got the text "01.02.2026"/],
  ["add_business_days: 1", 5, /add_business_days takes a date such as .*, but got a number/],
  ["add_hours: 'x'", "2026-01-01", /add_hours takes a number/],
  ["add_hours: 1", null, /add_hours takes a date/],
  ["start_of_day", null, /start_of_day takes a date/],
  ["start_of_day: 'Mars'", "2026-01-01", /start_of_day does not know the time zone "Mars"/],
  ["to_zone: 'UTC'", null, /to_zone takes a date/],
  ["to_zone: none", "2026-01-01", /to_zone takes text, but got null/],
  ["days_until", null, /days_until takes a date/],
  ["date: '%Y'", "2026-02-30", /date takes a date/],
  ["date: '%Q'", "2026-02-28", /date does not know "%Q"; it knows %Y/],
];

const data = (given: Json): { [root: string]: Json } => ({ given, none: null, list: [7, 8], item: ["x"] });

describe("a filter", () => {
  test.each(gives)("%s of %j gives %j", (filter, given, expected) => {
    expect(evaluate(`{{ given | ${filter} }}`, { data: data(given) })).toEqual(expected);
  });

  test.each(refuses)("%s refuses %j", (filter, given, says) => {
    expect(failureOf(`{{ given | ${filter} }}`, { data: data(given) })).toMatch(says);
    expect(failureOf({ key: `{{ given | ${filter} }}` }, { data: data(given) })).toMatch(/^at\.key: /);
  });

  const working = filterNames.filter((name) => !["default", "optional", "raw"].includes(name));
  const argumentsOf: Readonly<Record<string, string>> = {
    replace: ": 'a', 'b'",
    to_micros: ": 'EUR'",
    to_minor_units: ": 'EUR'",
    ...Object.fromEntries(
      ["upcase", "downcase", "strip", "json", "sum", "first", "last", "size"].map((name) => [name, ""]),
    ),
    ...Object.fromEntries(
      ["uniq", "join", "compact", "flatten", "sort", "round", "as_integer"].map((name) => [name, ""]),
    ),
    ...Object.fromEntries(["start_of_day", "days_until"].map((name) => [name, ""])),
  };
  const call = (name: string): string => `${name}${argumentsOf[name] ?? ": 'UTC'"}`;

  test.each(working)("%s of a missing value names the path, and a default after it stands in", (name) => {
    expect(failureOf(`{{ nothing.here | ${call(name)} }}`)).toMatch(/^at: nothing\.here is missing/);
    expect(evaluate(`{{ nothing.here | ${call(name)} | default: 'x' }}`)).toBe("x");
    expect(evaluate({ key: `{{ nothing.here | ${call(name)} | optional }}` })).toEqual({});
  });

  test.each(working.filter((name) => name !== "json"))("%s of null is an error that names the filter", (name) => {
    expect(failureOf(`{{ none | ${call(name)} }}`, { data: { none: null } })).toMatch(
      new RegExp(`^at: ${name} takes .*got null`),
    );
  });

  test.each(working)("%s is tried in these tables, or with dates", (name) => {
    const tried = [...gives, ...refuses].some(([filter]) => filter.startsWith(name));
    expect(tried).toBe(true);
  });

  test("of the closed list and no other", () => {
    expect(filterNames.toSorted()).toEqual(
      (
        "add_business_days add_days add_hours append as_integer compact concat date days_until default divided_by downcase " +
        "first flatten join json last map minus optional plus raw replace round size slice sort split start_of_day strip sum " +
        "times to_micros to_minor_units to_zone uniq upcase where"
      ).split(" "),
    );
  });

  test("never changes what it was given", () => {
    const list = Object.freeze([Object.freeze({ n: 2 }), Object.freeze({ n: 1 })]) as unknown as Json;
    for (const filter of [
      "sort: 'n'",
      "uniq",
      "map: 'n'",
      "where: 'n'",
      "concat: list",
      "compact",
      "flatten",
      "slice: 0",
    ])
      expect(evaluate(`{{ list | ${filter} | json }}`, { data: { list } })).toMatch(/^\[/);
    expect(list).toEqual([{ n: 2 }, { n: 1 }]);
  });
});
