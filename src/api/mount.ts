import { pipeline } from "node:stream/promises";
import { Router, type Request, type RequestHandler, type Response } from "express";
import { parseDocument } from "yaml";
import { ProblemError } from "../errors.ts";
import type { Json } from "../json.ts";
import { accessOf } from "./access.ts";
import { getCaller } from "./auth.ts";
import { checkJson } from "./body/check-json.ts";
import { malformed } from "./body/malformed.ts";
import { decodeText, isJsonType, mediaType } from "./body/parse-body.ts";
import { openFile } from "./body/open-file.ts";
import { parseForm } from "./body/parse-form.ts";
import { parseJson } from "./body/parse-json.ts";
import { readBody } from "./body/read-body.ts";
import type { AnsweredFile, Endpoint } from "./endpoint.ts";
import type { Gate, Looks } from "./gate.ts";
import { createReader, type Reader } from "./reader.ts";

const maxBodyBytes = 1024 * 1024;

/**
 * The endpoints as routes. A path that exists answers other methods with 405 and what it allows; one
 * that is written out goes before one with a parameter in its place.
 */
export function mountEndpoints(endpoints: readonly Endpoint[], gate: Gate): Router {
  const router = Router();
  const paths = new Map<string, Endpoint[]>();
  for (const endpoint of endpoints) {
    const path = endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1");
    paths.set(path, [...(paths.get(path) ?? []), endpoint]);
  }
  for (const [path, own] of [...paths].toSorted(([a], [b]) => (lastParameters(a) < lastParameters(b) ? -1 : 1))) {
    for (const endpoint of own) router[endpoint.method](path, gated(endpoint, endpoints, gate));
    router.all(path, refuseMethod(own.map(({ method }) => method.toUpperCase())));
  }
  return router;
}

/** A path as it is to be sorted. */
function lastParameters(path: string): string {
  return path.replaceAll(":", "\uffff");
}

/** Refuses every method but these. GET brings HEAD. */
export function refuseMethod(methods: readonly string[]): (request: Request) => never {
  const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return (request) => {
    throw new ProblemError(405, "method-not-allowed", `${request.method} is not possible here. Use ${allow}.`, {
      headers: { allow },
    });
  };
}

function gated(endpoint: Endpoint, endpoints: readonly Endpoint[], gate: Gate): RequestHandler {
  const access = accessOf(endpoint, endpoint.access);
  const reader = access.changes === "target" ? createReader(endpoint, endpoints) : undefined;
  const action = `${endpoint.method.toUpperCase()} ${endpoint.path}`;
  return gate({ access, action }, (request, response) => serve({ endpoint, reader }, request, response));
}

async function serve(
  { endpoint, reader }: { endpoint: Endpoint; reader: Reader | undefined },
  request: Request,
  response: Response,
): Promise<Looks> {
  const sent: Parameters<Endpoint["answer"]>[0] = {
    ...getCaller(response),
    params: request.params,
    query: parseForm(searchOf(request.url)),
    body: await readBodyOf(endpoint, request),
    header: (name) => request.get(name),
    file: openFile(request),
  };
  const before = await reader?.before(sent);
  const answer = await endpoint.answer(sent);
  const after = await reader?.after(sent, answer.body);
  response.status(answer.status ?? 200).set({ "cache-control": "no-store", ...answer.headers });
  if (answer.file === undefined) response.json(answer.body);
  else await sendFile(answer.file, response);
  return { before, after };
}

/** Undefined where the endpoint takes no body, or can do without and none was sent. */
async function readBodyOf({ body, yaml }: Endpoint, request: Request): Promise<Json | undefined> {
  if (body === undefined) return undefined;
  const isEmpty = request.headers["content-length"] === "0" || !hasBody(request);
  if (isEmpty && body.safeParse(undefined).success) return undefined;
  return readDocument(request, yaml === true);
}

function hasBody({ headers }: Request): boolean {
  return headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
}

/** Piece by piece, as fast as they are taken. One that fails on the way ends the connection: it is not whole. */
async function sendFile({ type, name, pieces }: AnsweredFile, response: Response): Promise<void> {
  const rest = pieces[Symbol.asyncIterator]();
  // What is wrong from the start is answered like any other refusal.
  const first = await rest.next();
  response.set({ "content-type": type, "content-disposition": `attachment; filename="${name}"` });
  try {
    await pipeline(allOf(first, rest), response);
  } catch (error) {
    // Whoever asked has gone: nobody is to be told.
    if ((error as NodeJS.ErrnoException).code !== "ERR_STREAM_PREMATURE_CLOSE") throw error;
  }
}

async function* allOf(
  first: IteratorResult<string>,
  rest: AsyncIterator<string>,
): AsyncGenerator<string, void, undefined> {
  try {
    for (let found = first; found.done !== true; found = await rest.next()) yield found.value;
  } finally {
    await rest.return?.();
  }
}

/** The query of a URL, as it was sent. */
export function searchOf(url: string): string {
  const mark = url.indexOf("?");
  return mark === -1 ? "" : url.slice(mark + 1);
}

/** The body as JSON, read as strictly as a webhook's; YAML only where it is allowed. Throws a ProblemError. */
export async function readDocument(request: Request, yaml: boolean): Promise<Json> {
  const type = mediaType(request.headers["content-type"]) ?? "application/json";
  const isYaml = yaml && yamlTypes.has(type);
  if (!isYaml && !isJsonType(type)) {
    const accepted = yaml ? "application/json or application/yaml" : "application/json";
    throw new ProblemError(415, "unsupported-media-type", `Content-Type "${type}" is not read here. Send ${accepted}.`);
  }
  const text = decodeText(await readBody(request, maxBodyBytes));
  return isYaml ? parseYaml(text) : parseJson(text, { exactly: true });
}

const yamlTypes = new Set(["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"]);

/** As in JSON: past 2^53 integers become text, exactly. */
function readInteger(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}

/** YAML as the JSON it stands for. */
function parseYaml(text: string): Json {
  try {
    const document = parseDocument(text, {
      version: "1.2",
      schema: "core",
      uniqueKeys: true,
      prettyErrors: true,
      intAsBigInt: true,
    });
    const fault = document.errors[0];
    if (fault !== undefined) throw malformed(`The body is not valid YAML: ${fault.message}`, fault);
    // Few aliases: a document of a few lines may otherwise stand for gigabytes.
    return checkJson(
      document.toJS({
        maxAliasCount: 20,
        reviver: (_key, value: unknown) => (typeof value === "bigint" ? readInteger(value) : value),
      }),
    );
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw malformed(`The body is not valid YAML: ${error instanceof Error ? error.message : String(error)}`, error);
  }
}
