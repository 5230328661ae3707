import type { SendTokenRequest } from "../vault/renewal.ts";
import type { HttpClient } from "./client.ts";
import { parseTarget } from "./reach.ts";
import { parseRetryAfter } from "./retry-after.ts";

const answerBytes = 65_536;
const answerMs = 15_000;

/** Asks token endpoints by the client, under the policy of the connection that the token is for. */
export function createTokenSender(client: HttpClient): SendTokenRequest {
  return async ({ url, headers, body }, { connection, signal }) => {
    const answer = await client.send({
      method: "POST",
      url: parseTarget(url, connection),
      headers,
      body: Buffer.from(body),
      reach: connection,
      certificateAuthority: connection.certificateAuthority,
      // A refresh token may be good for one use: whether it was used must not be guessed.
      repeatable: false,
      // Elsewhere is not who was asked, whatever is answered there.
      redirects: "answered",
      signal,
      timeoutMs: answerMs,
      maximumBytes: answerBytes,
    });
    const retryAfter = answer.headers["retry-after"];
    const afterMs = parseRetryAfter(typeof retryAfter === "string" ? retryAfter : undefined, new Date());
    return { status: answer.status, body: answer.body.toString("utf8"), ...(afterMs === undefined ? {} : { afterMs }) };
  };
}
