import { z } from "zod";
import { StepError } from "../errors.ts";
import type { Authentication } from "./connections.ts";

/** How a connection gets tokens. */
export type OAuth2 = Extract<Authentication, { kind: "oauth2-client-credentials" | "oauth2-refresh-token" }>;

/** What is asked of a token endpoint: always a POST of a form. */
export interface TokenRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What a token endpoint answered. */
export interface TokenAnswer {
  readonly status: number;
  readonly body: string;
  /** The least pause that it asks for. */
  readonly afterMs?: number | undefined;
}

/** What came of a request for a token. */
export interface Grant {
  readonly accessToken: string;
  /** In the place of the one that was used; undefined: that one goes on. */
  readonly refreshToken: string | undefined;
  /** Undefined: the server does not say. */
  readonly lifetimeMs: number | undefined;
}

/** A request for a token (RFC 6749 §4.4.2, §6). `refreshToken` is the one that counts now. */
export function tokenRequest(
  oauth2: OAuth2,
  { clientSecret, refreshToken }: { clientSecret: string | undefined; refreshToken: string | undefined },
): TokenRequest {
  const form = new URLSearchParams(
    oauth2.kind === "oauth2-client-credentials"
      ? { grant_type: "client_credentials" }
      : { grant_type: "refresh_token", refresh_token: refreshToken ?? "" },
  );
  if (oauth2.scope !== undefined) form.set("scope", oauth2.scope);
  if ("audience" in oauth2 && oauth2.audience !== undefined) form.set("audience", oauth2.audience);
  const headers: Record<string, string> = {
    accept: "application/json",
    "content-type": "application/x-www-form-urlencoded",
  };
  if (clientSecret !== undefined && oauth2.clientBy === "basic") {
    // Each is encoded as in a form before the two are joined (§2.3.1).
    const credentials = `${formEncoded(oauth2.clientId)}:${formEncoded(clientSecret)}`;
    headers["authorization"] = `Basic ${Buffer.from(credentials).toString("base64")}`;
  } else {
    form.set("client_id", oauth2.clientId);
    if (clientSecret !== undefined) form.set("client_secret", clientSecret);
  }
  return { url: oauth2.tokenUrl, headers, body: form.toString() };
}

function formEncoded(text: string): string {
  return new URLSearchParams({ v: text }).toString().slice(2);
}

const granted = z.object({
  // What a header can carry, without a space (RFC 6750 §2.1 allows less, and some servers give more).
  access_token: z.string().regex(/^[\x21-\x7e]{1,16384}$/, "is no text that a header can carry"),
  token_type: z.string().regex(/^bearer$/i, "is not Bearer"),
  expires_in: z.coerce.number().nonnegative().nullish(),
  refresh_token: z.string().min(1).max(16_384).nullish(),
});

/**
 * What the endpoint granted (§5.1). Throws StepError: `authorization-failed` for what a person has to put
 * right, `authorization-unavailable` for what may go by itself. `who` is the connection's key.
 */
export function readGrant(answer: TokenAnswer, who: string): Grant {
  if (answer.status !== 200) throw refusal(answer, who);
  const parsed = granted.safeParse(parseBody(answer.body));
  if (!parsed.success) {
    const fault = parsed.error.issues.map(({ path, message }) => `${path.join(".") || "the answer"}: ${message}`);
    throw failed(who, `its token endpoint's answer is not one of RFC 6749 (${fault.join("; ")}). Check "tokenUrl".`);
  }
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds } = parsed.data;
  return {
    accessToken,
    refreshToken: refreshToken ?? undefined,
    lifetimeMs: seconds === undefined || seconds === null ? undefined : seconds * 1_000,
  };
}

/** What `authorize` throws where a token could not be asked for, or the server was not well. */
export function unavailable(
  who: string,
  reason: string,
  options: { afterMs?: number; cause?: unknown } = {},
): StepError {
  return new StepError("authorization-unavailable", `Connection "${who}": no token could be got: ${reason}`, {
    retryable: true,
    ...(options.afterMs === undefined ? {} : { details: { afterMs: options.afterMs } }),
    ...(options.cause === undefined ? {} : { cause: options.cause }),
  });
}

function failed(who: string, reason: string): StepError {
  return new StepError("authorization-failed", `Connection "${who}": ${reason}`);
}

const refused = z.object({ error: z.string(), error_description: z.string().optional() });

/** §5.2. What a server says of itself when it is not well, or of us when we are too many, is no verdict. */
function refusal({ status, body, afterMs }: TokenAnswer, who: string): StepError {
  if (status >= 500 || status === 429 || status === 408 || status === 425)
    return unavailable(who, `its token endpoint answered ${status}.`, afterMs === undefined ? {} : { afterMs });
  const said = refused.safeParse(parseBody(body));
  if (!said.success)
    return failed(
      who,
      `its token endpoint answered ${status} and no token. Check "tokenUrl", and that it takes a form.`,
    );
  const { error, error_description: description } = said.data;
  const words = [error, description].filter((text) => text !== undefined).map(shortened);
  const meaning = Object.hasOwn(meanings, error) ? ` ${meanings[error]}` : "";
  return failed(who, `its token endpoint refused: ${words.join(": ")}.${meaning}`);
}

/** Cut between words: a piece of a secret that it says back would not be known for one. */
function shortened(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200).replace(/\S*$/, "")}…` : text;
}

const meanings: Readonly<Record<string, string>> = {
  invalid_client: `Check "clientId", its secret, and "clientBy".`,
  invalid_grant: "Get a new refresh token, and give it to the secret that the connection names.",
  invalid_scope: `Check "scope".`,
  unauthorized_client: "Let the server's owner allow this client this grant.",
  unsupported_grant_type: "The server does not give tokens in this way.",
};

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
