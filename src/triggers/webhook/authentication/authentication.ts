import type { IncomingHttpHeaders } from "node:http";

/** What of a request its authentication looks at: the bytes as they came. */
export interface SignedRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** Names and values in turns, as Node gives them: a header that was sent twice is seen twice. */
  readonly rawHeaders: readonly string[];
  /** What stands behind the question mark, without it. */
  readonly query: string;
  /** The whole address, as the sender called it: some senders sign it. */
  readonly url: string;
  readonly rawBody: Buffer;
  /** Who sent it, proxies that are trusted left out. */
  readonly ip: string | undefined;
  readonly now: Date;
}

/** Values of secrets by name, the one that counts first; the one before it for as long as both do. */
export type Secrets = ReadonlyMap<string, readonly Buffer[]>;

/** Why a request is refused; stable, for the delivery log. */
export const refusalCodes = [
  "address-not-allowed",
  "credentials-missing",
  "credentials-malformed",
  "credentials-wrong",
  "signature-missing",
  "signature-malformed",
  "signature-wrong",
  "timestamp-missing",
  "timestamp-malformed",
  "timestamp-too-old",
  "timestamp-too-new",
  "id-missing",
  "id-malformed",
  "secret-missing",
  "secret-unusable",
] as const;
export type RefusalCode = (typeof refusalCodes)[number];

/** A refusal says what the owner of the webhook should know, and never a value. */
export interface Refusal {
  readonly ok: false;
  readonly code: RefusalCode;
  readonly detail: string;
}

/** `previous`: what fitted was the value before the last rotation; its sender has not changed over yet. */
export type Verdict = { readonly ok: true; readonly previous: boolean } | Refusal;

/** A webhook's authentication made ready for requests. Whatever is not clearly right is refused. */
export interface Authentication {
  /** Secrets of the vault that `verify` wants. */
  readonly secretNames: readonly string[];
  /** Headers by lower-case name that carry credentials: they go into no log and no run. */
  readonly sensitiveHeaders: readonly string[];
  /** The same of query parameters, as they are written. */
  readonly sensitiveQuery: readonly string[];
  /** What a refusal's WWW-Authenticate says, where there is a scheme of HTTP's own. */
  readonly challenge?: string | undefined;
  verify(request: SignedRequest, secrets: Secrets): Verdict;
}

/** A refusal. */
export function refuse(code: RefusalCode, detail: string): Refusal {
  return { ok: false, code, detail };
}
