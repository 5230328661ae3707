import { z } from "zod";
import { isSuccess, refusalOf, textOfHeader, turnsAway } from "./http/judge.ts";
import { asUnsure, StepError } from "../errors.ts";
import type { Answer } from "../http/client.ts";
import { readBody } from "../http/read-body.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Connection } from "../vault/connections.ts";
import { checkHttpInput } from "./http/check.ts";
import { dropUnsaved, readProgress, savedProgress, storeItems, type Progress } from "./http/collect.ts";
import { exchangePage, getConnection, type HttpParts } from "./http/exchange.ts";
import { checkGiven } from "./http/given.ts";
import { httpInput, type HttpInput, type Pagination } from "./http/input.ts";
import { fieldsOf, itemsOf, nextPage } from "./http/pages.ts";
import { storedRequest, type StoredRequest } from "./http/request.ts";
import type { OutsideContext, OutsideKind, StepOutcome } from "./step-kind.ts";

/** A pagination gives its place up after this, between two pages: however many there are, others get their turn. */
const turnMs = 10_000;

/** Calls an outside API. Without `parts`, in a process that does no steps, it only says what it is. */
export function createHttpRequest(parts?: HttpParts): OutsideKind<HttpInput, StoredRequest> {
  return {
    kind: "http-request",
    effect: "outside",
    version: 1,
    title: "HTTP request",
    description:
      "Calls an outside API, by a connection or a whole URL, and gives its answer; page after page where it has pages.",
    queue: "http",
    timeoutMs: 30_000,
    retry: { maximumAttempts: 5, initialIntervalMs: 2_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
    input: httpInput,
    output: z.object({
      status: z.number(),
      headers: z.record(z.string(), z.unknown()),
      body: z.unknown(),
      items: z.array(z.unknown()).optional(),
      pages: z.number().optional(),
      complete: z.boolean().optional(),
    }),
    fixed: ["connection", "method", "success", "pagination", "gives"],
    places: { url: "address", path: "url", headers: "header", text: "text", gives: "verbatim" },
    declared: { by: "gives", at: ["body"] },
    sample: {
      input: { connection: "billing", path: "/invoices", query: { status: "open" } },
      output: { status: 200, headers: { "content-type": "application/json" }, body: { invoices: [] } },
    },
    check: checkHttpInput,
    saysWhenSending: true,
    repeatable: ({ repeatable }) => repeatable,
    async prepare(context, input) {
      return { request: storedRequest(input, await getConnection(context, input.connection)) };
    },
    async perform(context, request) {
      if (parts === undefined) throw new Error("This process does no steps.");
      try {
        const connection = await getConnection(context, request.connection);
        return request.pagination === undefined
          ? await callOnce(parts, context, { request, connection })
          : await callPages(parts, context, { request, connection, pagination: request.pagination });
      } catch (error) {
        throw whatItLeaves(error, { method: request.method, unsure: context.unsure });
      }
    },
  };
}

interface Called {
  readonly request: StoredRequest;
  readonly connection: Connection | undefined;
}

async function callOnce(
  parts: HttpParts,
  context: OutsideContext,
  { request, connection }: Called,
): Promise<StepOutcome> {
  const page = { request, query: {}, body: {} };
  const answer = await exchangePage(parts, context, { page, connection, key: context.key });
  const body = readSuccess(answer, request, context);
  return { output: outputOf(answer, body), outcome: String(answer.status) };
}

/** Reads page after page from where earlier attempts came to, saving each as it is read. */
async function callPages(
  parts: HttpParts,
  context: OutsideContext,
  { request, connection, pagination }: Called & { pagination: Pagination },
): Promise<StepOutcome> {
  const begun = performance.now();
  let progress = readProgress(context.progress);
  await dropUnsaved(context, progress);
  // Of the page that it was sent away with.
  let waited = context.progress["waited"] === true;
  for (;;) {
    const page = { request, ...fieldsOf(pagination, progress.next) };
    // Each page is a request of its own: under one key a target would answer with the first page again.
    const key = progress.pages === 0 ? context.key : `${context.key}-${progress.pages + 1}`;
    const answer = await exchangePage(
      parts,
      { ...context, progress: { ...savedProgress(progress), waited } },
      { page, connection, key },
    );
    waited = false;
    const body = readSuccess(answer, request, context);
    const items = itemsOf(body, pagination);
    const read = { answer, body, items, itemsSoFar: progress.count + items.length };
    const next = nextPage(pagination, progress.next, read);
    progress = addPage(progress, pagination.collect === "pages" ? [body] : items, read.itemsSoFar);
    if (next === undefined || progress.pages >= pagination.maximumPages)
      return finish(context, progress, { answer, body, complete: next === undefined });
    progress = await storeItems(context, { ...progress, next }, { all: false });
    await context.save(savedProgress(progress));
    if (performance.now() - begun > turnMs) throw goOn(progress);
  }
}

function addPage(progress: Progress, items: readonly Json[], count: number): Progress {
  return { ...progress, pages: progress.pages + 1, count, items: [...progress.items, ...items] };
}

async function finish(
  context: OutsideContext,
  read: Progress,
  { answer, body, complete }: { answer: Answer; body: Json; complete: boolean },
): Promise<StepOutcome> {
  const isLong = read.stored > 0;
  const progress = await storeItems(context, read, { all: isLong });
  const count = progress.storedItems + progress.items.length;
  const { pages } = progress;
  const items: Json = isLong ? { count } : progress.items;
  return {
    output: { ...outputOf(answer, body), items, pages, complete },
    outcome: `${count} in ${pages === 1 ? "1 page" : `${pages} pages`}${complete ? "" : ", more are there"}`,
    ...(isLong ? { lists: { items: count } } : {}),
  };
}

/** Not a failure: the step's next attempt reads on. */
function goOn({ pages }: Progress): StepError {
  return new StepError("more-pages", `${pages} pages are read, and more are there.`, {
    retryable: true,
    details: { counts: false, afterMs: 0 },
  });
}

/** What is wrong with an answer that is no refusal. */
const unusable: ReadonlySet<string> = new Set([
  "invalid-response",
  "pagination-stuck",
  "redirect-refused",
  "response-too-large",
  "too-many-redirects",
  "unexpected-body",
]);

/** The same error, with what it leaves open of the target: whether it acted now, or at an earlier attempt. */
function whatItLeaves(error: unknown, { method, unsure }: { method: string; unsure: boolean }): unknown {
  if (!(error instanceof StepError)) return error;
  const { code, message, retryable, details } = error;
  const { status } = details;
  // An earlier attempt that was not answered is not settled by one that reached nobody, or was turned away.
  if (unsure && (typeof status !== "number" || turnsAway(status))) return asUnsure(error);
  const changesNothing = method === "GET" || method === "HEAD" || method === "OPTIONS";
  if (changesNothing || !(unusable.has(code) || (typeof status === "number" && status < 400))) return error;
  return new StepError(code, message, { retryable, details: { ...details, acted: true }, cause: error });
}

function readSuccess(answer: Answer, request: StoredRequest, { redact }: OutsideContext): Json {
  if (!isSuccess(answer, request)) throw refusalOf(answer, { now: new Date(), redact });
  return checkGiven(readBody(answer.body, textOfHeader(answer.headers["content-type"])), request.gives);
}

function outputOf({ status, headers }: Answer, body: Json): JsonObject {
  return { status, headers, body };
}
