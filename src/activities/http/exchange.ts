import { StepError } from "../../errors.ts";
import { admitCall } from "../../http/admission.ts";
import type { Answer, Call, HttpClient } from "../../http/client.ts";
import type { Place } from "../../http/places.ts";
import { publicReach } from "../../http/reach.ts";
import { createTokenSender } from "../../http/send-token.ts";
import { originHeader, originHeaderName } from "../../runs/origin.ts";
import { authorize, renewAfter401, type Authorization, type AuthorizeParts } from "../../vault/authorization.ts";
import { findConnection, type Connection } from "../../vault/connections.ts";
import type { Tokens } from "../../vault/tokens.ts";
import type { OutsideContext, StepContext } from "../step-kind.ts";
import { outgoingOf, type PageRequest } from "./request.ts";

/** The longest that one request and its answer may take. */
const exchangeMs = 300_000;

/** What calls are made with. */
export interface HttpParts {
  readonly client: HttpClient;
  readonly tokens: Tokens;
}

/** The connection that a step names. Throws StepError `unknown-connection`. */
export async function getConnection(
  { sql, workspace }: StepContext,
  key: string | undefined,
): Promise<Connection | undefined> {
  if (key === undefined) return undefined;
  const connection = await findConnection(sql, { workspaceId: workspace.id, key });
  if (connection !== undefined) return connection;
  throw new StepError(
    "unknown-connection",
    `The workspace has no connection "${key}" any more. Make it again under this key, or let the step name another.`,
  );
}

/** Sends one request as soon as the connection's rate lets it go, and gives the target's answer, whatever it is. */
export async function exchangePage(
  parts: HttpParts,
  context: OutsideContext,
  { page, connection, key }: { page: PageRequest; connection: Connection | undefined; key: string },
): Promise<Answer> {
  const outgoing = outgoingOf(page, connection);
  const { signal, sql } = context;
  const ready = {
    ...outgoing,
    headers: {
      ...(page.request.method === "POST" || page.request.method === "PATCH" ? { "idempotency-key": key } : {}),
      ...outgoing.headers,
      [originHeaderName]: await originHeader(sql, context.run),
    },
    reach: connection ?? publicReach,
    certificateAuthority: connection?.certificateAuthority,
    repeatable: page.request.repeatable,
    maximumBytes: page.request.maximumBytes,
    timeoutMs: exchangeMs,
    signal,
  };
  if (connection === undefined) {
    await context.sending?.();
    return parts.client.send(ready);
  }
  return exchangeAuthorized(
    parts,
    { ...context, admit: () => admit(context, connection) },
    { call: ready, connection },
  );
}

/** Who makes a call: what it is authorized with, and what lets it go. */
export interface Asker extends Pick<AuthorizeParts, "signal" | "openSecrets" | "conceal"> {
  /** Waits until the connection's rate lets the call go. */
  admit(): Promise<Place>;
}

/**
 * Sends a call under its connection's authentication, and gives the target's answer, whatever it is. With
 * OAuth2 an answer of 401 is asked again once, under a new token.
 */
export async function exchangeAuthorized(
  { client, tokens }: HttpParts,
  asker: Asker,
  { call, connection }: { call: Call; connection: Connection },
): Promise<Answer> {
  const proving = { ...asker, tokens, send: createTokenSender(client) };
  const authorization = await authorize(proving, connection);
  const send = (shown: Authorization): Promise<Answer> => client.send({ ...call, authorization: shown });
  const place = await asker.admit();
  try {
    const answer = await send(authorization);
    if (answer.status !== 401 || answer.isAfterwards === true) return answer;
    const renewed = await renewAfter401(proving, connection, authorization);
    return renewed === undefined ? answer : await send(renewed);
  } finally {
    await place.release();
  }
}

/** Who is sent away has waited when it comes again, and goes before those who have not. */
async function admit(context: OutsideContext, connection: Connection): Promise<Place> {
  const waited = context.progress["waited"] === true;
  try {
    const { sql, signal } = context;
    return await admitCall({ sql, signal, ready: async () => context.sending?.() }, connection, waited);
  } catch (error) {
    if (!waited && error instanceof StepError) await context.save({ ...context.progress, waited: true });
    throw error;
  }
}
