import { ProblemError } from "../../errors.ts";

/**
 * 400: what was sent is not what it says it is, or holds what is never accepted. What `detail` quotes of
 * it is made visible, since the sentence is stored with the refusal, and Postgres keeps no NUL and no
 * half of a surrogate pair.
 */
export function malformed(detail: string, cause?: unknown): ProblemError {
  return new ProblemError(400, "malformed-request", detail.replaceAll(/\p{Cc}|\p{Surrogate}/gu, visible), { cause });
}

function visible(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
