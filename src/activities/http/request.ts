import { StepError } from "../../errors.ts";
import type { Outgoing } from "../../http/exchange.ts";
import { parseTarget, publicReach, type Reach } from "../../http/reach.ts";
import { writeBody, type BodySource, type Part } from "../../http/write-body.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Connection } from "../../vault/connections.ts";
import type { HttpInput, Pagination } from "./input.ts";

/** A request as it is stored: as data, since what is secret of it is put in just before it is sent. */
export type StoredRequest = JsonObject & {
  method: HttpInput["method"];
  /** The connection's key; absent: `url` is whole. */
  connection?: string;
  path?: string;
  url?: string;
  query: Fields;
  headers: { [name: string]: string };
  body?: StoredBody;
  /** Whether it may be sent again where it was not answered. */
  repeatable: boolean;
  success: Array<number | string>;
  pagination?: Pagination & JsonObject;
  gives?: JsonObject;
  maximumBytes: number;
};

type Fields = Array<[string, string]>;

type StoredBody =
  | { kind: "json"; value: Json }
  | { kind: "form"; fields: Fields }
  | { kind: "multipart"; parts: Array<Part & JsonObject> }
  | { kind: "text"; text: string };

/** Methods that may be repeated whoever is asked (RFC 9110 §9.2.2). */
const repeatableMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** What is stored of a step's input. */
export function storedRequest(input: HttpInput, connection: Connection | undefined): StoredRequest {
  const body = storedBody(input);
  return {
    method: input.method,
    ...(input.connection === undefined ? {} : { connection: input.connection, path: input.path ?? "" }),
    ...(input.url === undefined ? {} : { url: input.url }),
    query: fieldsOf(input.query),
    headers: Object.fromEntries(
      Object.entries(input.headers).map(([name, value]) => [name.toLowerCase(), String(value)]),
    ),
    ...(body === undefined ? {} : { body }),
    repeatable: input.repeatable ?? (repeatableMethods.has(input.method) || connection?.honoursIdempotencyKey === true),
    success: input.success,
    ...(input.pagination === undefined ? {} : { pagination: asJson(input.pagination) }),
    ...(input.gives === undefined ? {} : { gives: input.gives }),
    maximumBytes: input.maximumBytes,
  };
}

function storedBody({ body, form, multipart, text }: HttpInput): StoredBody | undefined {
  if (body !== undefined) return { kind: "json", value: body };
  if (form !== undefined) return { kind: "form", fields: fieldsOf(form) };
  if (multipart !== undefined) return { kind: "multipart", parts: multipart.map((part) => asJson(part)) };
  return text === undefined ? undefined : { kind: "text", text };
}

/** Without keys whose value is undefined: what is stored comes back the same. */
function asJson<T extends object>(value: T): T & JsonObject {
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  return Object.fromEntries(entries) as T & JsonObject;
}

/** Names may come several times; what is null is left out. */
function fieldsOf(values: HttpInput["query"]): Fields {
  return Object.entries(values).flatMap(([name, value]) =>
    [value].flat().flatMap((one): Fields => (one === null ? [] : [[name, String(one)]])),
  );
}

/** A request with what only its page adds. */
export interface PageRequest {
  readonly request: StoredRequest;
  /** Fields put into the query in the place of those of the same names. */
  readonly query: Readonly<Record<string, string>>;
  /** Fields put into the JSON body. */
  readonly body: Readonly<Record<string, string | number>>;
  /** A whole URL in the place of the request's own. */
  readonly url?: string | undefined;
}

/** The request as it is sent. Throws StepError `invalid-url`, `blocked-url`, `invalid-input`. */
export function outgoingOf(page: PageRequest, connection: Connection | undefined): Outgoing {
  const { request } = page;
  const url = urlOf(page, connection);
  const source = bodyOf(page);
  const written = source === undefined ? undefined : writeBody(source);
  const usual: Record<string, string> = {
    ...Object.fromEntries(
      Object.entries(connection?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
    ),
    ...(written === undefined ? {} : { "content-type": written.contentType }),
  };
  const headers = { ...usual, ...request.headers };
  // Only we know the boundary.
  if (source?.kind === "multipart" && written !== undefined) headers["content-type"] = written.contentType;
  for (const [name, value] of Object.entries(headers)) checkHeader(name, value);
  return { method: request.method, url, headers, body: written?.body };
}

function checkHeader(name: string, value: string): void {
  if (!/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    throw new StepError(
      "invalid-input",
      `The header "${name}" would hold what no header can: a line break, or a letter beyond Latin-1.`,
    );
}

function urlOf({ request, query, url: whole }: PageRequest, connection: Connection | undefined): URL {
  const reach = connection ?? publicReach;
  const own =
    connection === undefined ? parseTarget(request.url ?? "", reach) : joined(connection, request.path ?? "", reach);
  const url = whole === undefined ? own : parseTarget(new URL(whole, own).href, reach);
  if (url.origin !== own.origin)
    throw new StepError(
      "blocked-url",
      `${own.host} says that the next page is at ${url.host}: pages are read from one place only.`,
    );
  if (whole === undefined) for (const [name, value] of request.query) url.searchParams.append(name, value);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url;
}

/** A path behind a connection's base URL, which it cannot leave. */
function joined({ baseUrl, key }: Connection, path: string, reach: Reach): URL {
  const base = parseTarget(baseUrl, reach);
  const root = base.pathname.replace(/\/+$/, "");
  const rest = path.replace(/^\/+/, "");
  const url = parseTarget(`${base.origin}${root}${rest === "" || rest.startsWith("?") ? rest : `/${rest}`}`, reach);
  if (url.origin !== base.origin || !(url.pathname === root || url.pathname.startsWith(`${root}/`)))
    throw new StepError("invalid-url", `The path leads out of the base URL of the connection "${key}".`);
  return url;
}

function bodyOf({ request: { body }, body: fields }: PageRequest): BodySource | undefined {
  const added = Object.entries(fields);
  if (added.length === 0) return body;
  if (body === undefined) return { kind: "json", value: Object.fromEntries(added) };
  if (body.kind === "json") {
    const value = structuredClone(body.value);
    for (const [path, field] of added) putAt(value, path.split("."), field);
    return { kind: "json", value };
  }
  if (body.kind !== "form") return body;
  const kept = body.fields.filter(([name]) => !Object.hasOwn(fields, name));
  return { kind: "form", fields: [...kept, ...added.map(([name, value]): [string, string] => [name, String(value)])] };
}

/** Puts a value at a path into a JSON object, making what lies between. */
function putAt(holder: Json, [key = "", ...rest]: readonly string[], value: Json): void {
  if (typeof holder !== "object" || holder === null || Array.isArray(holder) || key === "__proto__") return;
  if (rest.length === 0) {
    holder[key] = value;
    return;
  }
  const inner = Object.hasOwn(holder, key) ? holder[key] : undefined;
  const next = typeof inner === "object" && inner !== null ? inner : {};
  holder[key] = next;
  putAt(next, rest, value);
}
