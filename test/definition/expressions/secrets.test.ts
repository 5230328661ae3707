import { describe, expect, test } from "vitest";
import { compileValue, createSecretMarks, type Place } from "../../../src/definition/expressions.ts";

const nonce = "0".repeat(32);

function issuesOf(source: string, place: Place = "data"): readonly string[] {
  return compileValue(source, { at: "input", place, optional: "allowed" }).issues.map(({ message }) => message);
}

describe("a secret", () => {
  test.each([
    "{{ secrets.TOKEN | upcase }}",
    "{{ secrets.TOKEN | default: 'x' }}",
    "{{ secrets.TOKEN | optional }}",
    "{{ secrets }}",
    "{{ secrets.TOKEN.length }}",
    "{{ secrets[trigger.name] }}",
    "{{ secrets['A-B'] }}",
    "{{ trigger.name | append: secrets.TOKEN }}",
    "{{ trigger[secrets.TOKEN] }}",
  ])("is only written as it is: %s is refused", (source) => {
    expect(issuesOf(source).join()).toContain("a secret is written {{ secrets.NAME }}");
  });

  test.each([
    "{% if secrets.TOKEN == 'a' %}x{% endif %}",
    "{% if secrets.TOKEN contains 'a' %}x{% endif %}",
    "{% for x in secrets.TOKEN %}x{% endfor %}",
    "{% case secrets.TOKEN %}{% when 'a' %}x{% endcase %}",
  ])("is asked nothing by tags: %s is refused", (source) => {
    expect(issuesOf(source, "text").join()).toContain("a secret is written {{ secrets.NAME }}");
  });

  test.each(["{{ secrets.TOKEN }}", "a {{ secrets.TOKEN }}{{ secrets._b }}", "{{ secrets['TOKEN'] }}"])(
    "may stand in %s",
    (source) => expect(issuesOf(source)).toEqual([]),
  );

  test("stands in text as a mark that says its place, also within tags", () => {
    const marks = createSecretMarks(nonce);
    const { compiled } = compileValue("{% if true %}<{{ secrets.TOKEN }}>{% endif %}", {
      at: "input",
      place: "html",
      optional: "allowed",
    });
    const text = compiled.evaluate({ lookup: () => true, timeZone: "UTC", now: new Date(0), secret: marks.mark });
    expect(marks.split(String(text))).toEqual(["<", { name: "TOKEN", place: "html" }, ">"]);
  });

  test("is missing where nothing may open it", () => {
    const { compiled } = compileValue("{{ secrets.TOKEN }}", { at: "input", optional: "allowed" });
    expect(() => compiled.evaluate({ lookup: () => "x", timeZone: "UTC", now: new Date(0) })).toThrow(
      "secrets.TOKEN is missing",
    );
  });
});
