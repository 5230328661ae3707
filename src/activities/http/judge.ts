import { StepError } from "../../errors.ts";
import type { Answer } from "../../http/client.ts";
import { storable } from "../../http/parse-json.ts";
import { readBody } from "../../http/read-body.ts";
import { parseRetryAfter } from "../../http/retry-after.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import type { StoredRequest } from "./request.ts";

/** An error keeps of an answer's body so many characters of JSON, at most. */
const keptCharacters = 65_536;

/** Whether the answer's status is one of those that the step calls success. */
export function isSuccess({ status }: Answer, { success }: StoredRequest): boolean {
  return success.some((wanted) => wanted === status || wanted === `${Math.floor(status / 100)}xx`);
}

/** Statuses that say who asks, or when, is wrong: nothing of what became of an earlier attempt. */
const turningAway: ReadonlySet<number> = new Set([401, 403, 407, 409, 425, 429, 503]);

/** Whether an answer of this status leaves open what became of an earlier attempt that was not answered. */
export function turnsAway(status: number): boolean {
  return turningAway.has(status);
}

/**
 * What a status that is no success means (docs/http.md): which may be tried again whatever was sent, which
 * only where the request is repeatable, and which is the last word. The answer is among the details, `redact`ed
 * before anything of it is cut: a piece of a secret would not be known for one.
 */
export function refusalOf(answer: Answer, { now, redact }: { now: Date; redact: (value: Json) => Json }): StepError {
  const { status, headers, url, isAfterwards = false, isRepeated = false } = answer;
  const afterMs = parseRetryAfter(textOfHeader(headers["retry-after"]), now);
  // These say that nothing was done.
  const isBusy = status === 425 || status === 429 || (status === 503 && afterMs !== undefined);
  const nothingDone = isBusy && !isAfterwards;
  const inDoubt = !nothingDone && (isBusy || status === 408 || status >= 500);
  const body = redact(bodyOf(answer));
  return new StepError(
    status === 429 ? "rate-limited" : "http-status",
    `${url.host} answered ${status}${excerptOf(body)}.`,
    {
      retryable: nothingDone || inDoubt,
      details: {
        status,
        headers,
        body: shortened(body),
        ...(afterMs === undefined || !(nothingDone || inDoubt) ? {} : { afterMs }),
        ...(inDoubt || isAfterwards || (isRepeated && turnsAway(status)) ? { unsure: true } : {}),
      },
    },
  );
}

/** What cannot be read of a refusal is no error of its own. */
function bodyOf({ body, headers }: Answer): Json {
  try {
    return readBody(body, textOfHeader(headers["content-type"]));
  } catch {
    return storable(body.toString("utf8"));
  }
}

function shortened(body: Json): Json {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return text.length <= keptCharacters ? body : `${text.slice(0, keptCharacters)}…`.toWellFormed();
}

/** What the target says for itself, where it says it as most do. */
function excerptOf(body: Json): string {
  const said = isJsonObject(body) ? saidIn(body) : typeof body === "string" && !/^\s*</.test(body) ? body : undefined;
  const line = said?.replace(/\s+/g, " ").trim().replace(/\.$/, "") ?? "";
  return line === "" ? "" : `: ${line.length > 300 ? `${line.slice(0, 300)}…` : line}`;
}

function saidIn(body: JsonObject): string | undefined {
  for (const key of ["message", "detail", "error_description", "error", "title", "errors"]) {
    const value = Object.hasOwn(body, key) ? body[key] : undefined;
    if (typeof value === "string") return value;
    const inner = Array.isArray(value) ? value[0] : value;
    if (typeof inner === "string") return inner;
    if (inner !== undefined && isJsonObject(inner)) return saidIn(inner);
  }
  return undefined;
}

/** A header of which there is one. */
export function textOfHeader(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === "string" ? value : value?.[0];
}
