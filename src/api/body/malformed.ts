import { ProblemError } from "../../errors.ts";

/** 400: what was sent is not what it says it is, or holds what is never accepted. */
export function malformed(detail: string, cause?: unknown): ProblemError {
  return new ProblemError(400, "malformed-request", detail, { cause });
}
