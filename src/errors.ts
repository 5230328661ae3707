import type { Json } from "./json.ts";

/** One fault in something that was given: where it is, what is wrong, what to do. */
export interface Issue {
  /** Place in the document, as people read it: `steps[1].branches[0].when.left`. Empty: the whole. */
  readonly path: string;
  readonly message: string;
}

/** Joins a place and what lies in it: `at("steps[1]", "input")`, `at("steps", 1)`. */
export function at(place: string, key: string | number): string {
  if (typeof key === "number") return `${place}[${key}]`;
  return place === "" ? key : `${place}.${key}`;
}

/**
 * What a step's target answered, or what is wrong with what the step asks. `retryable` failures are
 * tried again by the step's retry policy; others are final. The code is stable and documented.
 */
export class StepError extends Error {
  override readonly name = "StepError";
  readonly code: string;
  readonly retryable: boolean;
  /** What `error.<key>` reads in an error branch besides code, message and attempts. */
  readonly details: { readonly [key: string]: Json };

  constructor(
    code: string,
    message: string,
    options: { retryable?: boolean; details?: { [key: string]: Json }; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** The same error, saying that the target may have acted. What is no StepError, or says so already, stays as it is. */
export function asUnsure(error: unknown): unknown {
  if (!(error instanceof StepError) || error.details["unsure"] === true) return error;
  const { code, message, retryable, details } = error;
  return new StepError(code, message, { retryable, details: { ...details, unsure: true }, cause: error });
}

/** The run is not open any more, or another attempt raised its fence: nothing was changed. */
export class FencedError extends Error {
  override readonly name = "FencedError";
}

/** What a request did wrong; answered as application/problem+json (RFC 9457). */
export class ProblemError extends Error {
  override readonly name = "ProblemError";
  readonly status: number;
  /** Stable, kebab-case; the last part of the problem's `type`. */
  readonly code: string;
  readonly issues: readonly Issue[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    code: string,
    detail: string,
    options: { issues?: readonly Issue[]; headers?: Record<string, string>; cause?: unknown } = {},
  ) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.status = status;
    this.code = code;
    this.issues = options.issues ?? [];
    this.headers = options.headers ?? {};
  }
}
