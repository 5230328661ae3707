import type {
  Secrets,
  SignedRequest,
  Verdict,
} from "../../../../src/triggers/webhook/authentication/authentication.ts";
import { compileAuthentication } from "../../../../src/triggers/webhook/authentication/compile.ts";
import { authenticationSettings } from "../../../../src/triggers/webhook/authentication/settings.ts";
import type { JsonObject } from "../../../../src/json.ts";

/** A request that may be sent, with the clock of whoever gets it. */
export interface Sent {
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  readonly body: Buffer;
  readonly now: Date;
  readonly query?: string;
  readonly ip?: string;
  /** Values of the secret HOOK, the one that counts first. */
  readonly secrets: readonly string[];
}

/** What a webhook of these settings says of a request. */
export function judge(settings: JsonObject, sent: Sent): Verdict {
  const secrets: Secrets = new Map([["HOOK", sent.secrets.map((value) => Buffer.from(value))]]);
  return compileAuthentication(authenticationSettings.parse(settings)).verify(requestOf(sent), secrets);
}

export function requestOf({ headers, body, now, query = "", ip }: Sent): SignedRequest {
  return {
    method: "POST",
    // As Node gives them: most that are sent twice are joined.
    headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
    rawHeaders: headers.flat(),
    query,
    url: `https://crm.example/hooks/token${query === "" ? "" : `?${query}`}`,
    rawBody: body,
    ip,
    now,
  };
}
