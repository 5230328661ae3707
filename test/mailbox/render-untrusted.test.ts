import { expect, test } from "vitest";
import { renderMarkdown } from "../../src/mailbox/markdown.ts";
import { renderUntrusted } from "../../src/mailbox/render-untrusted.ts";

const idle = new AbortController().signal;

test.each([
  ["short", "# Hi\n\n**Ada** <b>x</b>"],
  ["long", "# Hi\n\n**Ada** wrote *hello*, [us](https://x.example/).\n\n".repeat(200)],
])("markdown that is %s becomes the same HTML", async (_, source) => {
  expect(await renderUntrusted(source, idle)).toBe(renderMarkdown(source));
});

test.each([
  ["is nested without end", `${"- ".repeat(10_000)}a`],
  ["nearly has emphasis again and again", "a_".repeat(500_000)],
  ["nearly is an address", `${"a".repeat(1_000_000)}@`],
])("markdown that %s is refused, and keeps nobody else waiting", { timeout: 60_000 }, async (_, source) => {
  const beats: number[] = [];
  const heart = setInterval(() => beats.push(performance.now()), 20);
  const rendering = renderUntrusted(source, idle);
  await expect(rendering).rejects.toMatchObject({ code: "invalid-input", retryable: false });
  clearInterval(heart);
  expect(beats.length).toBeGreaterThan(10);
  const pauses = beats.slice(1).map((beat, i) => beat - (beats[i] ?? beat));
  expect(Math.max(...pauses)).toBeLessThan(1_000);
});

test("whatever short markdown holds, it takes no time", () => {
  const parts = ["a_", "[", "![", "- ", "> ", "*_", "`", "~", "a@", "<", "|", "&#", "\\"];
  for (const part of parts) {
    const before = performance.now();
    renderMarkdown(part.repeat(Math.floor(2_000 / part.length)));
    expect([part, performance.now() - before < 500]).toEqual([part, true]);
  }
});

test("reading ends with its signal", async () => {
  const cancel = new AbortController();
  const rendering = renderUntrusted("a_".repeat(500_000), cancel.signal);
  cancel.abort(new Error("cancelled"));
  await expect(rendering).rejects.toThrow("cancelled");
  await expect(renderUntrusted("a_".repeat(5_000), cancel.signal)).rejects.toThrow("cancelled");
});
