import { z } from "zod";
import { durationMs, durationSchema } from "../definition/schema.ts";
import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../json.ts";
import { compileBodySchema, findSchemaFault, type BodySchema } from "./body-schema.ts";
import type { Given, TriggerCheck, TriggerKind } from "./trigger-kind.ts";
import { answerSettings, checkAnswer, compileAnswer, type Answer } from "./webhook/answer.ts";
import type { Authentication } from "./webhook/authentication/authentication.ts";
import { checkAuthentication, signsBodyOnly } from "./webhook/authentication/check.ts";
import { compileAuthentication } from "./webhook/authentication/compile.ts";
import { authenticationSettings } from "./webhook/authentication/settings.ts";
import { challengeSettings, checkChallenge, compileChallenge, type Challenge } from "./webhook/challenge.ts";

const methods = ["POST", "PUT", "PATCH", "GET", "HEAD", "DELETE"] as const;

/** What a webhook's body may weigh where its settings say nothing, and at most. */
export const usualBodyBytes = 1024 * 1024;
const mostBodyBytes = 10 * 1024 * 1024;

const bodySchema = z
  .record(z.string(), z.json() as z.ZodType<Json>)
  .superRefine((schema, context) => {
    const fault = findSchemaFault(schema);
    if (fault !== undefined) context.addIssue({ code: "custom", message: `this JSON Schema cannot be used: ${fault}` });
  })
  .meta({ description: "JSON Schema (draft 7) of the body; of a GET or HEAD, of its query" });

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, "a header's name");
const bodyPath = z.string().regex(/^[\w-]+(\.[\w-]+){0,7}$/, "a path into the body, such as event.id");

const window = durationSchema.refine((duration) => {
  const ms = durationMs(duration);
  return ms >= 1_000 && ms <= 86_400_000;
}, "from 1s to 1d");
const rateLimit = z
  .strictObject({ requests: z.int().min(1).max(100_000), per: window })
  .meta({ description: "More within that time get 429 with Retry-After" });

const origin = z
  .string()
  .regex(/^(\*|https?:\/\/[a-z0-9.-]+(:\d{1,5})?)$/, 'an origin such as https://example.com, or "*"');
const cors = z
  .strictObject({ origins: z.array(origin).min(1).max(50) })
  .meta({ description: "Pages that may post from a browser" });

export const webhookSettings = z.strictObject({
  method: z.enum(methods).default("POST"),
  authentication: authenticationSettings.default({ kind: "none" }),
  challenge: challengeSettings.optional(),
  body: bodySchema.optional(),
  dedupe: z.union([z.strictObject({ header: headerName }), z.strictObject({ path: bodyPath })]).optional(),
  answer: answerSettings.optional(),
  rateLimit: rateLimit.optional(),
  cors: cors.optional(),
  maximumBytes: z.int().min(1).max(mostBodyBytes).default(usualBodyBytes),
});

export type WebhookSettings = z.output<typeof webhookSettings>;

/** A webhook's settings made ready for requests. */
export interface Webhook {
  readonly method: (typeof methods)[number];
  readonly maximumBytes: number;
  readonly authentication: Authentication;
  readonly challenge: Challenge | undefined;
  readonly answer: Answer | undefined;
  readonly rate: { readonly requests: number; readonly windowMs: number } | undefined;
  /** Origins of pages that may post from a browser; `*`: any. */
  readonly origins: readonly string[];
  /** Secrets of the vault that requests are compared with. */
  readonly secretNames: readonly string[];
  /** Headers, in lower case, and query parameters that carry credentials: they go into no log and no run. */
  readonly sensitiveHeaders: ReadonlySet<string>;
  readonly sensitiveQuery: ReadonlySet<string>;
  /** The body with its values fitted to the declared types, and every fault with its path. */
  checkBody(body: Json, options: { fromText: boolean }): { readonly body: Json; readonly issues: readonly Issue[] };
  /** The delivery's dedupe key; undefined when the trigger names none or the delivery has none. */
  dedupeKey(delivery: { readonly headers: Readonly<Record<string, string>>; readonly body: Json }): string | undefined;
}

/** Compiles settings once for many requests. */
export function compileWebhook(settings: WebhookSettings): Webhook {
  const schema: BodySchema | undefined = settings.body && compileBodySchema(settings.body);
  const authentication = compileAuthentication(settings.authentication);
  const challenge = settings.challenge && compileChallenge(settings.challenge);
  const { dedupe, rateLimit: limit } = settings;
  return {
    method: settings.method,
    maximumBytes: settings.maximumBytes,
    authentication,
    challenge,
    answer: settings.answer && compileAnswer(settings.answer),
    rate: limit && { requests: limit.requests, windowMs: durationMs(limit.per) },
    origins: settings.cors?.origins ?? [],
    secretNames: [...new Set([...authentication.secretNames, ...(challenge?.secretNames ?? [])])],
    sensitiveHeaders: new Set(authentication.sensitiveHeaders),
    sensitiveQuery: new Set([...authentication.sensitiveQuery, ...(challenge?.sensitiveQuery ?? [])]),
    checkBody: (body, options) => schema?.check(body, options) ?? { body, issues: [] },
    dedupeKey({ headers, body }) {
      if (dedupe === undefined) return undefined;
      if ("header" in dedupe) return headers[dedupe.header.toLowerCase()] || undefined;
      return keyText(dedupe.path.split(".").reduce<Json | undefined>(below, body));
    },
  };
}

/** Secrets that are named, and the expressions of the answer. What is not well-formed has been said already. */
function check(settings: JsonObject, { at, secrets }: TriggerCheck): Issue[] {
  const answer = answerSettings.safeParse(settings["answer"]);
  const issues = answer.success ? checkAnswer(answer.data, placeOf(at, "answer")) : [];
  const authentication = authenticationSettings.safeParse(settings["authentication"]);
  const isAsked = settings["method"] === "GET" || settings["method"] === "HEAD";
  if (isAsked && authentication.success && signsBodyOnly(authentication.data))
    issues.push({
      path: placeOf(at, "authentication.kind"),
      message: `this signature is of the body, but a ${textOf(settings["method"])} says all in its address, which anybody could change: use POST, or hmac with {url} in its content`,
    });
  if (secrets === undefined) return issues;
  const challenge = challengeSettings.safeParse(settings["challenge"]);
  const known = { secretNames: secrets };
  if (authentication.success)
    issues.push(...checkAuthentication(authentication.data, { ...known, at: placeOf(at, "authentication") }));
  if (challenge.success) issues.push(...checkChallenge(challenge.data, { ...known, at: placeOf(at, "challenge") }));
  return issues;
}

const given: Given = { body: true, headers: true, query: true, method: true, deliveryId: true, replayOf: true };

function below(value: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return value !== undefined && isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function keyText(value: Json | undefined): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) || undefined : undefined;
}

export const webhook: TriggerKind = {
  kind: "webhook",
  title: "Webhook",
  description: "A URL that starts a run for each request it accepts.",
  settings: webhookSettings,
  late: ["answer"],
  strict: ["authentication"],
  gives: () => given,
  check,
  sample: {
    settings: {
      method: "POST",
      authentication: { kind: "none" },
      body: { type: "object", required: ["email"], properties: { email: { type: "string", format: "email" } } },
    },
    gives: { body: { email: "ada@example.com" }, headers: { "content-type": "application/json" }, query: {} },
  },
};
