import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { StepError } from "../errors.ts";
import type { Connection } from "./connections.ts";
import { readGrant, tokenRequest, unavailable, type OAuth2, type TokenAnswer, type TokenRequest } from "./oauth2.ts";
import type { KeptToken, Token, Tokens } from "./tokens.ts";

/** The longest that a token endpoint is waited for. */
const requestMs = 15_000;
/** Whose process died in a renewal keeps others from it no longer than this. */
const claimMs = 30_000;
const lookAgainMs = 100;
/** A token is renewed so long before its end, or a tenth of its life before, whichever is less. */
const mostMarginMs = 60_000;

/** Sends a request to a token endpoint, as far as the connection may reach it. Follows no redirect. */
export type SendTokenRequest = (
  request: TokenRequest,
  how: { readonly connection: Connection; readonly signal: AbortSignal },
) => Promise<TokenAnswer>;

/** What a token of a connection is got with. */
export interface TokenParts {
  readonly tokens: Tokens;
  readonly send: SendTokenRequest;
  readonly signal: AbortSignal;
}

/** A connection that gets tokens, with the values of its secrets. */
export interface Renewable {
  readonly connection: Connection;
  readonly oauth2: OAuth2;
  readonly secrets: ReadonlyMap<string, string>;
}

/**
 * A token that is to be taken now: the one that is kept, while it is fresh and was got with what the
 * connection says now, else a new one. `refused` is one that the target did not take. Of all processes one
 * renews, the others wait for what it stores. Throws StepError.
 */
export async function getToken(parts: TokenParts, renewable: Renewable, refused?: string): Promise<string> {
  const { tokens, signal } = parts;
  const wanted = originOf(renewable);
  for (;;) {
    signal.throwIfAborted();
    const kept = await findKept(tokens, renewable.connection);
    const token = usable(kept, wanted, refused);
    if (token !== undefined) return token;
    const claim = await tokens.claim(renewable.connection, claimMs);
    if (claim === undefined) {
      await pause(lookAgainMs, undefined, { signal });
      continue;
    }
    // Goes on by itself when the step is cancelled: what the endpoint has granted is to be stored.
    const renewal = renew(parts, renewable, { wanted, refused }).finally(() => claim.release());
    const renewed = await unlessAborted(renewal, signal);
    if (renewed !== undefined) return renewed;
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", leave, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
  });
}

/** Undefined: somebody else was first after all. */
async function renew(
  { tokens, send }: TokenParts,
  renewable: Renewable,
  { wanted, refused }: { wanted: Origin; refused: string | undefined },
): Promise<string | undefined> {
  const { connection, oauth2, secrets } = renewable;
  // Read under the claim: what was stored just before it is seen.
  const kept = await findKept(tokens, connection);
  const token = usable(kept, wanted, refused);
  if (token !== undefined) return token;
  const refreshToken = refreshTokenOf(renewable, kept, wanted);
  const clientSecret = oauth2.clientSecret === undefined ? undefined : secrets.get(oauth2.clientSecret);
  const begun = performance.now();
  const answer = await ask(send, tokenRequest(oauth2, { clientSecret, refreshToken }), connection);
  const grant = readGrant(answer, connection.key);
  const following = grant.refreshToken ?? refreshToken;
  const stored = await tokens.store(connection, {
    after: kept.version,
    token: {
      accessToken: grant.accessToken,
      ...(following === undefined ? {} : { refreshToken: following }),
      ...wanted,
    },
    freshMs: freshMs(grant.lifetimeMs, performance.now() - begun),
  });
  // Stored before it is used: a server that gives a new refresh token takes the old one no longer.
  return stored ? grant.accessToken : undefined;
}

async function findKept(tokens: Tokens, connection: Connection): Promise<KeptToken> {
  const kept = await tokens.find(connection);
  if (kept !== undefined) return kept;
  throw new StepError("authorization-failed", `Connection "${connection.key}" was deleted meanwhile.`);
}

/** Not under the signal of the step that needs the token. */
async function ask(send: SendTokenRequest, request: TokenRequest, connection: Connection): Promise<TokenAnswer> {
  try {
    return await send(request, { connection, signal: AbortSignal.timeout(requestMs) });
  } catch (error) {
    if (error instanceof StepError && !error.retryable)
      throw new StepError(
        "authorization-failed",
        `Connection "${connection.key}": no token could be got: ${error.message}`,
        {
          cause: error,
        },
      );
    // The target of the step has not been called: whatever is unsure here is not unsure there.
    const reason = error instanceof StepError ? error.message : "its token endpoint did not answer in time.";
    throw unavailable(connection.key, reason, { cause: error });
  }
}

/** What a token depends on: with other settings or secrets another is to be got. */
type Origin = Pick<Token, "from" | "seed">;

function originOf({ oauth2, secrets }: Renewable): Origin {
  const names = [oauth2.clientSecret, "refreshToken" in oauth2 ? oauth2.refreshToken : undefined];
  const values = names.map((name) => (name === undefined ? null : (secrets.get(name) ?? null)));
  const line = [oauth2.kind, oauth2.tokenUrl, oauth2.clientId, values[1]];
  return { from: digest([oauth2, values]), seed: digest(line) };
}

/** Digests of secrets stay within what is sealed. */
function digest(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url");
}

function usable({ token, isFresh }: KeptToken, { from }: Origin, refused: string | undefined): string | undefined {
  if (token === undefined || !isFresh || token.from !== from) return undefined;
  return token.accessToken === refused ? undefined : token.accessToken;
}

/** The latest of its line; where another line was begun, the one that begins it. */
function refreshTokenOf({ oauth2, secrets }: Renewable, { token }: KeptToken, { seed }: Origin): string | undefined {
  if (oauth2.kind === "oauth2-client-credentials") return undefined;
  return token?.seed === seed && token.refreshToken !== undefined
    ? token.refreshToken
    : secrets.get(oauth2.refreshToken);
}

function freshMs(lifetimeMs: number | undefined, elapsedMs: number): number | undefined {
  if (lifetimeMs === undefined) return undefined;
  return Math.max(0, lifetimeMs - elapsedMs - Math.min(mostMarginMs, lifetimeMs / 10));
}
