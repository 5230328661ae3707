import type { Request } from "express";
import type { FoundWebhook } from "../../catalog/webhooks.ts";
import { ProblemError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import { addToCapture } from "../../runs/captures.ts";
import { keepDelivery, type Acceptance, type NewDelivery, type Reason } from "../../runs/deliveries.ts";
import { takeFromRate } from "../../runs/webhook-rates.ts";
import type { ReadyAnswer } from "../../triggers/webhook/answer.ts";
import type { Webhook } from "../../triggers/webhook.ts";
import type { OpenedSecrets } from "../../vault/vault.ts";
import { parseForm } from "../body/parse-form.ts";
import { readBody } from "../body/read-body.ts";
import { refuseMethod, searchOf } from "../mount.ts";
import { toProblemError } from "../problem.ts";
import { acceptBody, fitBody } from "./accept.ts";
import { keepable } from "./keepable.ts";
import { loadHook, type Hook } from "./load-hook.ts";
import type { HookParts } from "./parts.ts";
import { readSent } from "./sent.ts";

/** A delivery that is being read: what is known of it when it is refused goes into the log. */
export type Incoming = { -readonly [Key in keyof NewDelivery]: NewDelivery[Key] };

/** A request on its way. */
export interface Arrival {
  readonly request: Request;
  readonly found: FoundWebhook;
  readonly incoming: Incoming;
  /** Set once the sender is known to be one who may send. */
  trusted: boolean;
  /** What the log says of a refusal, where that is more than the sender is told. */
  reason?: Reason;
}

/** What the sender of an accepted delivery is answered, other than 202 with the run's id. */
export type GivenAnswer = ReadyAnswer | { readonly whenFinishedWithinMs: number };

/** What a request came to. */
export type Received =
  | {
      readonly outcome: "accepted" | "duplicate";
      readonly acceptance: Acceptance;
      readonly answer: GivenAnswer | undefined;
    }
  | { readonly outcome: "answered"; readonly text: string }
  | { readonly outcome: "captured"; readonly deliveryId: string }
  | { readonly outcome: "refused"; readonly problem: ProblemError };

/** Takes a request, and keeps it with what it came to. Throws where nothing could be kept. */
export async function receive(parts: HookParts, request: Request, found: FoundWebhook): Promise<Received> {
  const arrival: Arrival = { request, found, incoming: incomingOf(request, found), trusted: false };
  const received = await take(parts, arrival).catch((error: unknown) => refused(parts, arrival, error));
  const learnt = received.outcome === "accepted" || received.outcome === "duplicate" || received.outcome === "refused";
  // It is kept already: not to learn from it is no reason to have it sent again.
  if (found.capturing && arrival.trusted && learnt && arrival.incoming.body !== null)
    await addToCapture(parts.pool, found, arrival.incoming.id).catch(() => false);
  return received;
}

function incomingOf(request: Request, found: FoundWebhook): Incoming {
  return {
    id: createId(),
    workspaceId: found.workspace.id,
    workflowId: found.workflowId,
    triggerId: found.triggerId,
    method: request.method,
    // Which of them carry credentials is known only with the webhook's settings.
    headers: {},
    query: {},
    body: null,
    ip: request.ip ?? null,
  };
}

/**
 * The order in which a request earns its run: the webhook is armed, the method fits, the body is small
 * enough, the sender is who may send, and does so no more often than is agreed. Then `acceptBody` reads
 * what was sent. Throws a ProblemError for the first that does not hold.
 */
async function take(parts: HookParts, arrival: Arrival): Promise<Received> {
  const { request, found, incoming } = arrival;
  const hook = await loadHook(parts.pool, found);
  const { webhook } = hook;
  const secrets = await parts.vault.openSecrets(found.workspace.id, webhook.secretNames);
  const query = parseForm(searchOf(request.url));
  Object.assign(incoming, keepable({ headers: request.headers, query }, webhook, secrets));
  const asked = webhook.challenge?.answerQuery({ method: request.method, query }, secrets);
  if (asked !== undefined && "text" in asked) return answered(parts, arrival, asked.text);
  if (asked !== undefined) throw unauthenticated(arrival, { code: "verify-token-wrong", detail: asked.refused });
  checkMethod(request, webhook);
  incoming.body = isBodyless(request) ? Buffer.alloc(0) : await readBody(request, webhook.maximumBytes);
  authenticate(parts, arrival, { webhook, secrets, rawBody: incoming.body });
  await limitRate(parts, found, webhook);
  return takeBody(parts, arrival, hook);
}

async function takeBody(parts: HookParts, arrival: Arrival, { webhook, armed }: Hook): Promise<Received> {
  const { request, incoming } = arrival;
  const sent = await readSent(incoming);
  const asked = webhook.challenge?.answerBody(sent.body);
  if (asked !== undefined && "text" in asked) return answered(parts, arrival, asked.text);
  if (!armed) return captured(parts, arrival);
  if (request.method === webhook.method) return acceptBody(parts, arrival, { webhook, sent });
  // A HEAD asks what a GET would come to.
  fitBody(webhook, sent);
  return answered(parts, arrival, "");
}

/** A webhook that takes GET takes HEAD. */
function checkMethod(request: Request, { method }: Webhook): void {
  if (request.method === method || (request.method === "HEAD" && method === "GET")) return;
  refuseMethod([method])(request);
}

function isBodyless({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function authenticate(
  { publicUrl }: HookParts,
  arrival: Arrival,
  { webhook, secrets, rawBody }: { webhook: Webhook; secrets: OpenedSecrets; rawBody: Buffer },
): void {
  const { request } = arrival;
  const { method, headers, rawHeaders, ip } = request;
  const url = `${publicUrl}${request.originalUrl}`;
  const signed = { method, headers, rawHeaders, query: searchOf(request.url), url, rawBody, ip, now: new Date() };
  const verdict = webhook.authentication.verify(signed, secrets);
  if (!verdict.ok) throw unauthenticated(arrival, verdict, webhook.authentication.challenge);
  arrival.trusted = true;
}

/** The sender is not told what is wrong, lest it be told how to do better; the log is. */
function unauthenticated(
  arrival: Arrival,
  { code, detail }: { code: string; detail: string },
  scheme?: string,
): ProblemError {
  arrival.reason = { code, detail, issues: [] };
  const headers = scheme === undefined ? {} : { "www-authenticate": scheme };
  return new ProblemError(401, "unauthenticated", "The request does not show that it may be sent here.", { headers });
}

async function limitRate({ pool }: HookParts, found: FoundWebhook, { rate }: Webhook): Promise<void> {
  if (rate === undefined) return;
  const seconds = await takeFromRate(pool, found, rate);
  if (seconds === undefined) return;
  const detail = `This webhook takes ${rate.requests} requests in ${rate.windowMs / 1_000} seconds. Send it again later.`;
  throw new ProblemError(429, "too-many-requests", detail, { headers: { "retry-after": String(seconds) } });
}

async function answered({ pool }: HookParts, { incoming }: Arrival, text: string): Promise<Received> {
  await keepDelivery(pool, incoming, { outcome: "answered", status: 200 });
  return { outcome: "answered", text };
}

async function captured({ pool }: HookParts, { incoming, found }: Arrival): Promise<Received> {
  await keepDelivery(pool, incoming, { outcome: "captured", status: 202 });
  await addToCapture(pool, found, incoming.id);
  return { outcome: "captured", deliveryId: incoming.id };
}

async function refused({ pool }: HookParts, arrival: Arrival, thrown: unknown): Promise<Received> {
  const { request, incoming, reason } = arrival;
  const problem = toProblemError(thrown);
  if (problem.status >= 500) throw thrown;
  const { status, code, message: detail, issues } = problem;
  const bodyBytes = incoming.body?.length ?? announcedBytes(request);
  if ((!arrival.trusted || status === 429) && bodyBytes > mostKeptOfStrangers) incoming.body = null;
  await keepDelivery(pool, incoming, {
    outcome: "refused",
    status,
    reason: reason ?? { code, detail, issues },
    bodyBytes,
  });
  return { outcome: "refused", problem };
}

/**
 * Of a request whose sender is not known, or who sends too often, a larger body is not kept: nobody may
 * fill the disk with what is refused.
 */
const mostKeptOfStrangers = 65_536;

/** What a body that was not read whole weighed, as far as is known. */
function announcedBytes({ headers }: Request): number {
  return Math.min(Number(headers["content-length"] ?? 0), 2_147_483_647);
}
