import { z } from "zod";
import { compileValue, ExpressionError, type Evaluation } from "../../definition/expressions.ts";
import { durationMs, durationSchema } from "../../definition/schema.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../../json.ts";

/** The longest that a sender is kept waiting for a run's end. */
export const longestWaitMs = 30_000;
const mostHeaders = 20;

/** Headers that are the gateway's own affair, or would act for its other pages. */
const reserved = new Set(
  (
    "connection content-encoding content-length content-security-policy date keep-alive set-cookie " +
    "strict-transport-security trailer transfer-encoding upgrade x-content-type-options"
  ).split(" "),
);

const roots = new Set<unknown>(["trigger", "settings", "workspace", "now"]);

const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, "a header's name")
  .refine((name) => !reserved.has(name.toLowerCase()) && !/^access-control-/i.test(name), {
    error: ({ input }) => `the header ${String(input)} is set by the gateway; CORS is set by "cors"`,
  });

/** Whether HTTP can carry it in a header: RFC 9110, and Node refuses what is not. */
function fitsHeader(value: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}

/** Headers of an answer, as they are written. */
export const answerHeaders = z
  .record(
    headerName,
    z.string().max(2_000).refine(fitsHeader, "a header holds Latin characters only, and no line breaks"),
  )
  .refine((headers) => Object.keys(headers).length <= mostHeaders, `at most ${mostHeaders} headers`);

const atOnce = z.strictObject({
  when: z.literal("accepted").optional(),
  status: z.int().min(200).max(399).default(200),
  headers: answerHeaders.optional(),
  body: (z.json() as z.ZodType<Json>).optional(),
});

/** When the run is over, or as soon as a step of kind `respond` says what the answer is. */
const whenFinished = z.strictObject({
  when: z.literal("finished"),
  within: durationSchema
    .refine((duration) => {
      const ms = durationMs(duration);
      return ms >= 1_000 && ms <= longestWaitMs;
    }, "from 1s to 30s")
    .default("30s"),
});

/** What a sender is answered, other than 202 with the run's id. */
export const answerSettings = z
  .discriminatedUnion("when", [atOnce, whenFinished])
  .meta({ description: "What the sender is answered; expressions in it read `trigger` and `run.id`" });

export type AnswerSettings = z.output<typeof answerSettings>;

/** An answer that is ready to be sent. */
export interface ReadyAnswer {
  readonly status: number;
  /** By lower-case name, the type of the body included where there is one. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** An answer made ready for requests: given at once, or when the run is over or has said what it is. */
export type Answer =
  | { readonly when: "accepted"; evaluate(evaluation: Evaluation): ReadyAnswer }
  | { readonly when: "finished"; readonly withinMs: number };

/** Compiles an answer that passed `checkAnswer`. */
export function compileAnswer(settings: AnswerSettings): Answer {
  if (settings.when === "finished") return { when: "finished", withinMs: durationMs(settings.within) };
  const { status } = settings;
  const { compiled } = compileParts(settings, "answer");
  return {
    when: "accepted",
    evaluate(evaluation) {
      const parts = compiled.evaluate(evaluation);
      const { headers, body } = isJsonObject(parts ?? null) ? (parts as JsonObject) : {};
      return { status, ...writeAnswer(headers, body) };
    },
  };
}

/** What is wrong with the expressions of an answer. */
export function checkAnswer(settings: AnswerSettings, at: string): Issue[] {
  if (settings.when === "finished") return [];
  const { compiled, issues } = compileParts(settings, at);
  const strange = compiled.references
    .filter(({ path: [root, name] }) => !roots.has(root) && !(root === "run" && name === "id"))
    .map(({ path, at: place }) => ({
      path: place,
      message: `an answer is given before the run: it reads "trigger", "settings", "workspace", "now" and "run.id" only, not "${path.join(".")}"`,
    }));
  const type = typeOf(settings.headers);
  const typed = type?.includes("{{")
    ? [{ path: placeOf(at, "headers.content-type"), message: "must be written out" }]
    : [];
  return [...issues, ...strange, ...typed];
}

/** In a document that a browser shows, what the sender said is escaped. */
function compileParts({ headers, body }: z.output<typeof atOnce>, at: string) {
  const isMarkup = /html|xml/i.test(typeOf(headers) ?? "");
  return compileValue(
    { ...(headers === undefined ? {} : { headers }), ...(body === undefined ? {} : { body }) },
    { at, places: { headers: "header", body: isMarkup ? "html" : "data" }, optional: "allowed" },
  );
}

function typeOf(headers: Readonly<Record<string, string>> | undefined): string | undefined {
  return Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "content-type")?.[1];
}

/** Headers and body as they are sent. Throws ExpressionError for a header that HTTP cannot carry. */
export function writeAnswer(headers: Json | undefined, body: Json | undefined): Pick<ReadyAnswer, "headers" | "text"> {
  const named = Object.entries(headers !== undefined && isJsonObject(headers) ? headers : {}).map(
    ([name, value]): [string, string] => [name.toLowerCase(), textOf(value) ?? ""],
  );
  for (const [name, value] of named)
    if (!fitsHeader(value))
      throw new ExpressionError(`answer.headers.${name}`, "a header holds Latin characters only, and no line breaks");
  const given = Object.fromEntries(named);
  if (body === undefined) return { headers: given, text: "" };
  const isText = typeof body === "string";
  const type = isText ? "text/plain; charset=utf-8" : "application/json; charset=utf-8";
  return { headers: { "content-type": type, ...given }, text: isText ? body : JSON.stringify(body) };
}
