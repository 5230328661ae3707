import { describe, expect, test } from "vitest";
import { compileValue, createSecretMarks } from "../../src/definition/expressions.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { holdsMark, openForm, secretsIn, shownForm, shownText, storedForm } from "../../src/vault/stored-form.ts";

const nonce = "0123456789abcdef0123456789abcdef";
const value = "p/a=s & s\"w'ö<rd>";
const values = new Map([["TOKEN", value]]);
const none = new Map<string, string>();

/** What an outside kind's input gives, and what of it is stored. */
function evaluate(source: JsonObject, places: Record<string, "url" | "header" | "html"> = {}) {
  const marks = createSecretMarks(nonce);
  const { compiled, issues } = compileValue(source, { at: "input", places, optional: "allowed" });
  expect(issues).toEqual([]);
  const given = compiled.evaluate({
    lookup: ([, key]) => (key === "body" ? { $secret: [{ name: "TOKEN", place: "data" }] } : undefined),
    timeZone: "UTC",
    now: new Date(0),
    secret: marks.mark,
  }) as Json;
  return { marks, given, stored: storedForm(given, { marks, values: none }) };
}

describe("a request is stored", () => {
  test("with references, and opened with the value encoded for its place", () => {
    const { stored } = evaluate(
      { url: "/v1/{{ secrets.TOKEN }}?a=1", auth: "Bearer {{ secrets.TOKEN }}", body: { key: "{{ secrets.TOKEN }}" } },
      { url: "url", auth: "header" },
    );
    expect(JSON.stringify(stored)).not.toContain(nonce);
    expect(stored).toMatchObject({ auth: { $secret: ["Bearer ", { name: "TOKEN", place: "header" }] } });
    expect(secretsIn(stored)).toEqual(["TOKEN"]);
    expect(openForm(stored, values)).toEqual({
      url: "/v1/p%2Fa%3Ds%20%26%20s%22w%27%C3%B6%3Crd%3E?a=1",
      auth: `Bearer ${value}`,
      body: { key: value },
    });
  });

  test("with what only looks like a reference as it is: nobody can send for a secret", () => {
    const given = { $secret: [{ name: "TOKEN", place: "data" }], $$secret: 1, list: [{ $secret: "x" }] };
    const { stored } = evaluate({ body: "{{ trigger.body }}" });
    expect(secretsIn(stored)).toEqual([]);
    expect(openForm(stored, values)).toEqual({ body: { $secret: [{ name: "TOKEN", place: "data" }] } });
    const again = storedForm(given, { marks: createSecretMarks(nonce), values: none });
    expect(secretsIn(again)).toEqual([]);
    expect(openForm(again, values)).toEqual(given);
  });

  test("without values that touch or lie in one another, and not at all where they overlap", () => {
    const secrets = new Map([
      ["A", "sesame01"],
      ["B", "sesame0123"],
      ["C", "0123open"],
    ]);
    for (const text of ["sesame01sesame01", "x=sesame0123&sesame01", "0123opensesame0123,"]) {
      const stored = storedForm({ text }, { values: secrets });
      expect(JSON.stringify(stored)).not.toMatch(/sesame|open/);
      expect(openForm(stored, secrets)).toEqual({ text });
    }
    expect(() => storedForm({ text: "sesame0123open" }, { values: secrets })).toThrow(/overlap/);
  });

  test("and a mark of another evaluation is text like any other", () => {
    const forged = createSecretMarks("f".repeat(32)).mark("TOKEN", "data");
    const marks = createSecretMarks(nonce);
    expect(storedForm({ body: forged }, { marks, values: none })).toEqual({ body: forged });
  });

  test("and a mark that was changed on the way is found", () => {
    const marks = createSecretMarks(nonce);
    const mark = marks.mark("TOKEN", "url");
    for (const changed of [mark.toUpperCase(), mark.slice(0, 60)])
      expect(holdsMark(storedForm({ host: changed }, { marks, values: none }), marks)).toBe(true);
    expect(holdsMark(storedForm({ host: mark }, { marks, values: none }), marks)).toBe(false);
  });

  test("and is shown as it was written", () => {
    const { given, marks, stored } = evaluate({ auth: "Bearer {{ secrets.TOKEN }}" });
    expect(shownForm(stored)).toEqual({ auth: "Bearer {{ secrets.TOKEN }}" });
    expect(shownText(JSON.stringify(given), marks)).toBe('{"auth":"Bearer {{ secrets.TOKEN }}"}');
  });
});

test("a secret with a line break does not go into a header", () => {
  const { stored } = evaluate({ auth: "{{ secrets.TOKEN }}" }, { auth: "header" });
  expect(() => openForm(stored, new Map([["TOKEN", "a\r\nX-Other: b"]]))).toThrow("TOKEN holds a line break");
});

test("a value that stands in what is stored becomes a reference, as it is and as a URL holds it", () => {
  const next = "https://api.example.com/items?key=p%2Fa%3Ds%20%26%20s%22w%27%C3%B6%3Crd%3E&page=2";
  const stored = storedForm({ next, said: `you are ${value}.`, other: "x" }, { values });
  expect(JSON.stringify(stored)).not.toMatch(/p\/a=s|p%2Fa/);
  expect(openForm(stored, values)).toEqual({ next, said: `you are ${value}.`, other: "x" });
});
