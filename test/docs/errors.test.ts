import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { projectRoot } from "../../src/config.ts";
import { advices } from "../../src/runs/alerts/advice.ts";
import { refusalCodes } from "../../src/triggers/webhook/authentication/authentication.ts";
import { findCodes } from "./error-codes.ts";

/** What stands at `code` and is no error's: zod's faults of its own, and shapes that have such a key. */
const noErrors = new Set(["custom", "code", "text"]);
/** Described in docs/webhooks.md, which another test holds. */
const ofSenders = new Set<string>([...refusalCodes, "verify-token-wrong"]);

const text = await readFile(join(projectRoot, "docs/errors.md"), "utf8");
const sections = Object.fromEntries(
  text
    .split(/^## /m)
    .slice(1)
    .map((section) => [section.split("\n", 1)[0]!, section]),
);
const found = (await findCodes()).filter(({ code }) => !noErrors.has(code) && !ofSenders.has(code));
const described = new Set(rowsOf(text).flatMap(({ codes }) => codes));
const of = (kind: string): string[] => [...new Set(found.filter((one) => one.of === kind).map(({ code }) => code))];

interface Row {
  readonly codes: string[];
  readonly cells: string[];
}

function rowsOf(part: string): Row[] {
  return [...part.matchAll(/^\| (`[^|]+) \|(.*)\|$/gm)].map(([, first, rest]) => ({
    codes: [...first!.matchAll(/`([^`]+)`/g)].map(([, code]) => code!),
    cells: rest!.split("|").map((cell) => cell.trim()),
  }));
}

describe("docs/errors.md", () => {
  test("describes every code that can be given, and no other", () => {
    const given = new Set(found.map(({ code }) => code));
    const missing = found.filter(({ code }) => !described.has(code)).map(({ code, file }) => `${code} (${file})`);
    expect([...new Set(missing)].toSorted()).toEqual([]);
    expect([...described].filter((code) => !given.has(code)).toSorted()).toEqual([]);
  });

  test("describes the codes of steps where steps are described, or where requests share them", () => {
    const there = new Set(rowsOf(`${sections["Of steps"]}${sections["Of requests"]}`).flatMap(({ codes }) => codes));
    expect(of("step").filter((code) => !there.has(code))).toEqual([]);
  });

  test("describes the codes of requests where requests are described, or where steps share them", () => {
    const there = new Set(rowsOf(`${sections["Of requests"]}${sections["Of steps"]}`).flatMap(({ codes }) => codes));
    expect(of("request").filter((code) => !there.has(code))).toEqual([]);
  });

  test("says of every code what it means and what to do", () => {
    const short = rowsOf(text).filter(({ cells }) => cells.length < 2 || cells.some((cell) => cell === ""));
    expect(short.map(({ codes }) => codes)).toEqual([]);
    for (const [name, columns] of [
      ["Of requests", 3],
      ["Of steps", 3],
      ["Of runs", 2],
      ["Of deliveries", 2],
    ] as const)
      expect(rowsOf(sections[name] ?? "").filter(({ cells }) => cells.length !== columns)).toEqual([]);
  });

  test("describes no code twice in one place", () => {
    for (const section of Object.values(sections)) {
      const codes = rowsOf(section).flatMap((row) => row.codes);
      expect(codes.filter((code, at) => codes.indexOf(code) !== at)).toEqual([]);
    }
  });

  test("describes every code for which mails about failures have advice", () => {
    expect(Object.keys(advices).filter((code) => !described.has(code))).toEqual([]);
  });
});
