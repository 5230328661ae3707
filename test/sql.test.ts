import { expect, test } from "vitest";
import { createRecent } from "../src/recent.ts";
import { statementName } from "../src/sql.ts";

test("a statement has a name from the second time on, and always the same", () => {
  expect(statementName("select 1 as first_text")).toBeUndefined();
  const name = statementName("select 1 as first_text");
  expect(name).toMatch(/^t_[0-9a-f]{24}$/);
  expect(statementName("select 1 as first_text")).toBe(name);
});

test("what many workspaces ask once each is never named, and what one asks all the time keeps its name", () => {
  const often = "select 1 as often";
  statementName(often);
  const name = statementName(often);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 2_000; i++) {
      expect(statementName(`select ${i} as seldom`)).toBeUndefined();
      expect(statementName(often)).toBe(name);
    }
  }
});

test("a text that was forgotten gets its name back, under which connections have it already", () => {
  const text = "select 1 as forgotten";
  statementName(text);
  const name = statementName(text);
  for (let i = 0; i < 300; i++) for (let time = 0; time < 2; time++) statementName(`select ${i} as other`);
  expect(statementName(text)).toBeUndefined();
  expect(statementName(text)).toBe(name);
});

test("what was used last is kept, and the rest forgotten", () => {
  const recent = createRecent<string, number>(2);
  recent.set("a", 1);
  recent.set("b", 2);
  recent.get("a");
  recent.set("c", 3);
  expect([recent.get("a"), recent.get("b"), recent.get("c")]).toEqual([1, undefined, 3]);
});
