import { asUnsure, StepError } from "../errors.ts";
import type { Authorization } from "../vault/authorization.ts";
import { resolveBySystem, type Resolve } from "./connector.ts";
import { createDispatchers } from "./dispatchers.ts";
import { exchange, type Incoming, type Outgoing } from "./exchange.ts";
import { acceptedEncodings, inflateBody } from "./inflate.ts";
import type { OwnListener } from "./own-listeners.ts";
import { checkTarget, type Reach } from "./reach.ts";
import { redirectOf } from "./redirect.ts";

const mostRedirects = 5;
const userAgent = "Tandem";

/** One call of an outside API. */
export interface Call extends Outgoing {
  readonly reach: Reach;
  readonly certificateAuthority?: string | undefined;
  /** Whether it may be sent again where it is not known what became of it. */
  readonly repeatable: boolean;
  /** What shows who asks; put on every request that stays with the first one's origin. */
  readonly authorization?: Authorization | undefined;
  readonly signal: AbortSignal;
  /** `answered`: they are not followed, what redirects is the answer. Default: they are, five at most. */
  readonly redirects?: "answered";
  /** For all of it, redirects included. */
  readonly timeoutMs: number;
  /** Of the body, packed and unpacked. */
  readonly maximumBytes: number;
}

/** An answer, its body unpacked. */
export interface Answer extends Incoming {
  /** Where it came from: redirects were followed. */
  readonly url: URL;
  /** A redirect made another request of what was asked for: that was done then, whatever this answer says. */
  readonly isAfterwards?: true;
  /** It was asked for a second time, since the line had broken: the target may have had the first one, too. */
  readonly isRepeated?: true;
}

type Repeated = Pick<Answer, "isRepeated">;

/** Calls outside APIs under one policy (docs/http.md). */
export interface HttpClient {
  /** Throws StepError; with `unsure` among its details the target may have acted. */
  send(call: Call): Promise<Answer>;
  close(): Promise<void>;
}

/** A client that never speaks to `own` listeners. `resolve` finds the addresses of names. */
export function createHttpClient({
  own,
  resolve = resolveBySystem,
}: {
  own: readonly OwnListener[];
  resolve?: Resolve;
}): HttpClient {
  const dispatchers = createDispatchers({ own, resolve });

  async function once(outgoing: Outgoing, call: Call, timeoutMs: number): Promise<Incoming & Repeated> {
    const { reach, certificateAuthority } = call;
    const needs = { reach, certificateAuthority, url: outgoing.url };
    const limits = { signal: call.signal, timeoutMs, maximumBytes: call.maximumBytes };
    const begun = performance.now();
    if (!call.repeatable) return exchange(dispatchers.for({ ...needs, line: "fresh" }), outgoing, limits);
    try {
      return await exchange(dispatchers.for({ ...needs, line: "kept" }), outgoing, limits);
    } catch (error) {
      if (!(error instanceof StepError) || error.code !== "connection-broken") throw error;
      // A kept line that was closed while nobody looked says nothing of the target: a new one does.
      const left = timeoutMs - (performance.now() - begun);
      if (left <= 0) throw error;
      const again = { ...limits, timeoutMs: left };
      const incoming = await exchange(dispatchers.for({ ...needs, line: "fresh" }), outgoing, again).catch(
        (second: unknown) => {
          throw asUnsure(second);
        },
      );
      return { ...incoming, isRepeated: true };
    }
  }

  async function send(call: Call): Promise<Answer> {
    const { origin } = call.url;
    const end = performance.now() + call.timeoutMs;
    let outgoing: Outgoing = { method: call.method, url: call.url, headers: withUsual(call.headers), body: call.body };
    let acted = false;
    for (let hops = 0; ; hops += 1) {
      checkTarget(outgoing.url, call.reach);
      const authorized = outgoing.url.origin === origin ? authorize(outgoing, call.authorization) : outgoing;
      const incoming = await once(authorized, call, end - performance.now()).catch((error: unknown) => {
        // Once the first request was done, nothing that happens later proves that nothing was.
        throw acted ? asUnsure(error) : error;
      });
      const next = call.redirects === "answered" ? undefined : redirectOf(incoming, outgoing);
      if (next === undefined) {
        const answer = await unpack(incoming, outgoing.url, call.maximumBytes);
        return acted ? { ...answer, isAfterwards: true } : answer;
      }
      if (hops === mostRedirects)
        throw new StepError("too-many-redirects", `${call.url.host} redirects more than ${mostRedirects} times.`);
      // What answers a POST with "look there" has done it.
      acted ||= next.method !== outgoing.method;
      outgoing = next;
    }
  }

  return { send, close: () => dispatchers.close() };
}

async function unpack(incoming: Incoming, url: URL, most: number): Promise<Answer> {
  const encoding = incoming.headers["content-encoding"];
  const body = await inflateBody(incoming.body, typeof encoding === "string" ? encoding : undefined, most);
  return { ...incoming, body, url };
}

function withUsual(headers: Outgoing["headers"]): Record<string, string> {
  return { "user-agent": userAgent, accept: "*/*", ...headers, "accept-encoding": acceptedEncodings };
}

function authorize(outgoing: Outgoing, authorization: Authorization | undefined): Outgoing {
  if (authorization === undefined) return outgoing;
  const url = new URL(outgoing.url);
  for (const [name, value] of Object.entries(authorization.query)) url.searchParams.set(name, value);
  return { ...outgoing, url, headers: { ...outgoing.headers, ...authorization.headers } };
}
