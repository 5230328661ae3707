import { z } from "zod";
import { didYouMean } from "../../definition/suggest.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../../json.ts";
import type { Secrets } from "./authentication/authentication.ts";
import { isSame } from "./authentication/compare.ts";

/** The longest text that is given back: real ones are far shorter. */
const mostCharacters = 2_048;

const parameter = z.string().regex(/^[\w.$-]{1,100}$/, "a query parameter's name");

const secretName = z
  .string()
  .regex(/^[A-Za-z_]\w{0,63}$/, "the name of a secret, such as META_VERIFY_TOKEN")
  .meta({ description: "Name of the secret that the sender must show" });

const slack = z
  .strictObject({ kind: z.literal("slack") })
  .meta({ description: "A signed body `{ type: url_verification, challenge }` is answered with its challenge" });

const verifyToken = z
  .strictObject({
    kind: z.literal("verify-token"),
    secret: secretName,
    token: parameter.default("hub.verify_token"),
    challenge: parameter.default("hub.challenge"),
    mode: parameter.nullable().default("hub.mode").meta({ description: "If given, it must say `subscribe`" }),
  })
  .meta({ description: "A GET with the right token is answered with its challenge, as Meta asks" });

const echo = z
  .strictObject({ kind: z.literal("echo"), parameter: parameter.default("validationToken") })
  .meta({ description: "A request with this query parameter is answered with its text, as Microsoft and Dropbox ask" });

/** How a sender makes sure that the address is the receiver's. */
export const challengeSettings = z.discriminatedUnion("kind", [slack, verifyToken, echo]);

export type ChallengeSettings = z.output<typeof challengeSettings>;

/** What a challenge makes of a request: the text to answer, a refusal, or undefined where it is none. */
export type ChallengeAnswer = { readonly text: string } | { readonly refused: string } | undefined;

/** A challenge made ready for requests. */
export interface Challenge {
  /** Secrets of the vault that it compares with. */
  readonly secretNames: readonly string[];
  /** Query parameters that must not be logged or reach a run. */
  readonly sensitiveQuery: readonly string[];
  /** Looks at the address alone, before the sender is authenticated. */
  answerQuery(request: { method: string; query: JsonObject }, secrets: Secrets): ChallengeAnswer;
  /** Looks at the body of a sender who is authenticated. */
  answerBody(body: Json): ChallengeAnswer;
}

/** Compiles settings once for many requests. */
export function compileChallenge(settings: ChallengeSettings): Challenge {
  const none: Challenge = {
    secretNames: [],
    sensitiveQuery: [],
    answerQuery: () => undefined,
    answerBody: () => undefined,
  };
  switch (settings.kind) {
    case "slack":
      return { ...none, answerBody: answerVerification };
    case "echo":
      return {
        ...none,
        answerQuery: ({ method, query }) =>
          method === "GET" || method === "POST" ? echoed(query[settings.parameter]) : undefined,
      };
    case "verify-token":
      return {
        ...none,
        secretNames: [settings.secret],
        sensitiveQuery: [settings.token],
        answerQuery: ({ method, query }, secrets) =>
          method === "GET" ? answerHandshake(settings, query, secrets.get(settings.secret) ?? []) : undefined,
      };
  }
}

/** A fault where the secret that is named is none of these. */
export function checkChallenge(
  settings: ChallengeSettings,
  { secretNames, at }: { secretNames: ReadonlySet<string>; at: string },
): Issue[] {
  if (settings.kind !== "verify-token" || secretNames.has(settings.secret)) return [];
  const meant = didYouMean(settings.secret, secretNames) || "; make it by POST /api/secrets";
  return [{ path: placeOf(at, "secret"), message: `there is no secret "${settings.secret}"${meant}` }];
}

function answerVerification(body: Json): ChallengeAnswer {
  return isJsonObject(body) && body["type"] === "url_verification" ? echoed(body["challenge"]) : undefined;
}

function answerHandshake(
  { token, challenge, mode }: z.output<typeof verifyToken>,
  query: JsonObject,
  secrets: readonly Buffer[],
): ChallengeAnswer {
  const shown = textOf(query[token]);
  const asked = echoed(query[challenge]);
  if (shown === undefined || asked === undefined) return undefined;
  const said = mode === null ? undefined : query[mode];
  if (said !== undefined && said !== "subscribe") return { refused: `${mode} is not "subscribe"` };
  if (secrets.length === 0) return { refused: "the secret of its verify token is missing" };
  return secrets.some((secret) => isSame(shown, secret)) ? asked : { refused: "the verify token is another" };
}

function echoed(value: Json | undefined): ChallengeAnswer {
  return typeof value === "string" && value !== "" && value.length <= mostCharacters ? { text: value } : undefined;
}
