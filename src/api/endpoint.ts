import type { z } from "zod";
import { at, ProblemError, type Issue } from "../errors.ts";
import type { AccessDeclaration } from "./access.ts";
import type { Caller } from "./auth.ts";

type Method = "get" | "post" | "put" | "patch" | "delete";

/** What a request brought, each part as its schema parsed it. */
export interface Call<Params, Query, Body> extends Caller {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** A request header by its lower-case name. */
  header(name: string): string | undefined;
  /** The bytes of a file that is sent as the body, for endpoints that take one. */
  readonly file: AsyncIterable<Buffer>;
}

/** A file that is answered with, made while it is sent. */
export interface AnsweredFile {
  readonly type: string;
  readonly name: string;
  readonly pieces: AsyncIterable<string>;
}

export interface Answer {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Sent in the body's stead. */
  readonly file?: AnsweredFile;
}

interface Description {
  readonly method: Method;
  /** As OpenAPI writes it: `/api/runs/{id}`. */
  readonly path: `/api/${string}`;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  /** Whether the body may also be YAML. */
  readonly yaml?: boolean;
  /** Types of the file that is sent as the body; such an endpoint has no other. */
  readonly takesFile?: readonly string[];
  /** What a success answers with, by status. */
  readonly answers: Readonly<Record<number, z.ZodType>>;
  /** Types of the file that a success answers with, in place of `answers`. */
  readonly givesFile?: readonly string[];
  /** Whose key may call it, and what that changes, where method and path do not say it right. */
  readonly access?: AccessDeclaration;
  /** Statuses of refusals that are this endpoint's own, with what they mean. */
  readonly refusals?: Readonly<Record<number, string>>;
}

/** One route of the API: the schemas that validate it are the ones that document it. */
export interface Endpoint extends Description {
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Parses what was sent and answers. Throws a ProblemError. */
  answer(sent: Call<unknown, unknown, unknown>): Promise<Answer>;
}

type Output<Schema> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Declares a route; `handle` gets what its schemas gave. Without a schema there is no such part. */
export function defineEndpoint<
  Params extends z.ZodObject | undefined = undefined,
  Query extends z.ZodObject | undefined = undefined,
  Body extends z.ZodType | undefined = undefined,
>(
  route: Description & {
    readonly params?: Params;
    readonly query?: Query;
    readonly body?: Body;
    handle(call: Call<Output<Params>, Output<Query>, Output<Body>>): Promise<Answer>;
  },
): Endpoint {
  const { params, query, body, handle, ...description } = route;
  return {
    ...description,
    ...(params === undefined ? {} : { params }),
    ...(query === undefined ? {} : { query }),
    ...(body === undefined ? {} : { body }),
    answer: async (sent) =>
      handle({
        ...sent,
        params: parsePart<Params>(params, sent.params, notFound),
        query: parsePart<Query>(query, sent.query, invalidQuery),
        body: parsePart<Body>(body, sent.body, invalidBody),
      }),
  };
}

function parsePart<Schema>(
  schema: z.ZodType | undefined,
  sent: unknown,
  refuse: (issues: Issue[]) => ProblemError,
): Output<Schema> {
  const parsed = schema?.safeParse(sent);
  if (parsed !== undefined && !parsed.success) throw refuse(toIssues(parsed.error));
  // What a schema gives is its own output; without one there is nothing.
  return parsed?.data as Output<Schema>;
}

// An id that is none cannot be found.
function notFound(): ProblemError {
  return new ProblemError(404, "not-found", "There is nothing under this address.");
}

function invalidQuery(issues: Issue[]): ProblemError {
  return new ProblemError(400, "invalid-query", "The query is not valid.", { issues });
}

function invalidBody(issues: Issue[]): ProblemError {
  return new ProblemError(422, "invalid-body", "The body is not valid.", { issues });
}

/** Zod's issues as places and sentences. */
export function toIssues(error: z.ZodError): Issue[] {
  return error.issues.map((issue) => ({
    path: issue.path.reduce<string>((place, key) => at(place, typeof key === "number" ? key : String(key)), ""),
    message: issue.message,
  }));
}
