import { z } from "zod";
import { controlPolicy } from "../../definition/compile/policies.ts";
import { ExpressionError } from "../../definition/expressions.ts";
import { holdsExpression } from "../../definition/standing-in.ts";
import { at, StepError, type Issue } from "../../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../../json.ts";
import { keepAnswer, type RunAnswer } from "../../runs/answers.ts";
import { answerHeaders, writeAnswer } from "../../triggers/webhook/answer.ts";
import type { ControlKind } from "../step-kind.ts";

const mostBytes = 1_048_576;

const input = z
  .strictObject({
    status: z.int().min(200).max(599).default(200),
    headers: answerHeaders.optional(),
    body: (z.json() as z.ZodType<Json>).optional(),
    html: z.string().optional(),
  })
  .refine(
    ({ body, html }) => body === undefined || html === undefined,
    `"body" and "html" are both the body: write one`,
  );

type Input = z.output<typeof input>;

/** The first answer of a run counts, and is the same however often its step is tried. */
export const respond: ControlKind<Input> = {
  kind: "respond",
  effect: "control",
  version: 1,
  title: "Respond",
  description: "Says what the sender of the webhook is answered, who waits for it, and goes on.",
  queue: "runs",
  ...controlPolicy,
  input,
  output: z.object({ status: z.int(), answered: z.boolean() }),
  fixed: [],
  quick: () => true,
  places: { headers: "header", html: "html" },
  sample: {
    input: { status: 201, headers: { location: "/orders/17" }, body: { order: 17 } },
    output: { status: 201, answered: true },
  },
  check: checkType,
  async run({ sql, run, fence, path }, given) {
    const answer = answerOf(given);
    const fate = await keepAnswer(sql, { runId: run.id, fence }, { path, answer });
    const output = { status: answer.status, answered: fate === "answered" };
    if (fate === "answered") return { output, outcome: String(answer.status) };
    const outcome = fate === "nobody" ? "no webhook" : "answered before";
    return { output, outcome, status: "skipped" };
  },
};

function answerOf({ status, headers, body, html }: Input): RunAnswer {
  const typed = html === undefined ? headers : { "content-type": "text/html; charset=utf-8", ...lowerCased(headers) };
  try {
    const { headers: written, text } = writeAnswer(typed, html ?? body);
    if (Buffer.byteLength(text) <= mostBytes) return { status, headers: written, text };
  } catch (error) {
    if (error instanceof ExpressionError) throw new StepError("invalid-input", error.message);
    throw error;
  }
  throw new StepError(
    "invalid-input",
    `The answer is larger than ${mostBytes} bytes. Answer with less, or with a link.`,
  );
}

function lowerCased(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** In a document that a browser shows, what was sent must be escaped: `html` does so, `body` is data. */
function checkType({ headers, body }: JsonObject, { at: place }: { at: string }): Issue[] {
  const named = headers !== undefined && isJsonObject(headers) ? headers : {};
  const type = textOf(Object.entries(named).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? null) ?? "";
  if (type.includes("{{")) return [{ path: at(place, "headers.content-type"), message: "must be written out" }];
  if (!/html|xml/i.test(type) || !holdsExpression(body)) return [];
  return [{ path: at(place, "body"), message: `is not escaped as markup: write it as "html", without a content-type` }];
}
