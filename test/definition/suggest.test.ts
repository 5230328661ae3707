import { expect, test } from "vitest";
import { didYouMean, sentence, suggest } from "../../src/definition/suggest.ts";

test.each([
  ["persn", ["person", "company"], "person"],
  ["pesron", ["person", "company"], "person"],
  ["Person", ["person"], "person"],
  ["eqals", ["equals", "endsWith"], "equals"],
  ["upcse", ["upcase", "uniq"], "upcase"],
  ["a", ["b", "cd"], "b"],
  ["abcdef", ["abcxyz"], undefined],
  ["task", ["opportunity", "note"], undefined],
  ["person", [], undefined],
  ["", ["a", "ab"], "a"],
])("for %j among %j is meant %j", (word, candidates, expected) => {
  expect(suggest(word, candidates)).toBe(expected);
});

test("the nearest is meant, of equals the first", () => {
  expect(suggest("compny", ["companies", "company", "compuny"])).toBe("company");
});

test("very long words are no trouble", () => {
  expect(suggest("a".repeat(100_000), ["person", "b".repeat(200)])).toBeUndefined();
});

test("a sentence asks, or says nothing", () => {
  expect(didYouMean("persn", ["person"])).toBe('; did you mean "person"?');
  expect(didYouMean("zzzzzz", ["person"])).toBe("");
});

test("a sentence ends with a full stop, a question with its mark", () => {
  expect(sentence("There is no person")).toBe("There is no person.");
  expect(sentence('There is no "persn"; did you mean "person"?')).toBe('There is no "persn"; did you mean "person"?');
});
