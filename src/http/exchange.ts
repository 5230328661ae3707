import type { IncomingHttpHeaders } from "node:http";
import { errors, type Dispatcher } from "undici";
import { StepError } from "../errors.ts";
import { tooLarge } from "./inflate.ts";

/** One request as it goes over the line. */
export interface Outgoing {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
}

/** What came back, packed as it came. */
export interface Incoming {
  readonly status: number;
  /** Names in lower case; several of a name are joined, but for `set-cookie`. */
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: Buffer;
}

export interface ExchangeLimits {
  readonly signal: AbortSignal;
  /** For all of it: connecting, sending, receiving. */
  readonly timeoutMs: number;
  /** Of the body as it comes over the line. */
  readonly maximumBytes: number;
}

/**
 * Sends one request and receives its answer. Throws StepError: `not-connected` says that nothing was
 * sent; with `unsure` among the details the target may have acted. Rethrows the signal's reason when that
 * ends it.
 */
export async function exchange(dispatcher: Dispatcher, outgoing: Outgoing, limits: ExchangeLimits): Promise<Incoming> {
  limits.signal.throwIfAborted();
  const { host } = outgoing.url;
  return new Promise((resolve, reject) => {
    const receiving = createReceiver({ ...limits, host, method: outgoing.method }, resolve, reject);
    const timer = setTimeout(
      () => receiving.end((receiving.begun() ? unanswered : unconnected)(host, limits.timeoutMs)),
      limits.timeoutMs,
    );
    const stop = (): void => receiving.end(limits.signal.reason);
    limits.signal.addEventListener("abort", stop, { once: true });
    receiving.onEnd(() => {
      clearTimeout(timer);
      limits.signal.removeEventListener("abort", stop);
    });
    dispatcher.dispatch(
      {
        origin: outgoing.url.origin,
        path: `${outgoing.url.pathname}${outgoing.url.search}`,
        method: outgoing.method as Dispatcher.HttpMethod,
        headers: outgoing.headers,
        ...(outgoing.body === undefined ? {} : { body: outgoing.body }),
      },
      receiving.handler,
    );
  });
}

/** Gathers an answer; settles once, whatever comes first. */
function createReceiver(
  { maximumBytes, host, method }: { maximumBytes: number; host: string; method: string },
  resolve: (incoming: Incoming) => void,
  reject: (error: unknown) => void,
) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let head: Omit<Incoming, "body"> | undefined;
  let controller: Dispatcher.DispatchController | undefined;
  let over = false;
  let settled: () => void = () => {};

  /** Ends it with an error; what is still to come is not waited for. */
  function end(error: unknown): void {
    if (over) return;
    over = true;
    settled();
    reject(error);
    if (controller?.aborted === false) controller.abort(error instanceof Error ? error : new Error("It was ended."));
  }

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart(started) {
      controller = started;
      // It was ended while it waited for a connection: nothing is sent any more.
      if (over) started.abort(new Error("It was ended."));
    },
    onResponseStart(_, status, headers) {
      head = { status, headers: plainHeaders(headers) };
      // What is asked by HEAD has the length of a body that does not come.
      const isTooLong = method !== "HEAD" && Number(headers["content-length"] ?? 0) > maximumBytes;
      if (isTooLong) end(tooLarge(maximumBytes));
    },
    onResponseData(_, chunk) {
      bytes += chunk.length;
      if (bytes > maximumBytes) end(tooLarge(maximumBytes));
      else if (!over) chunks.push(chunk);
    },
    onResponseEnd() {
      if (over || head === undefined) return;
      over = true;
      settled();
      resolve({ ...head, body: Buffer.concat(chunks) });
    },
    onResponseError(_, error) {
      end(meaningOf(error, { host, begun: controller !== undefined }));
    },
  };
  return { handler, end, begun: () => controller !== undefined, onEnd: (work: () => void) => (settled = work) };
}

function plainHeaders(headers: IncomingHttpHeaders): Record<string, string | string[]> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]): Array<[string, string | string[]]> => {
      if (value === undefined) return [];
      return [[name.toLowerCase(), Array.isArray(value) && name !== "set-cookie" ? value.join(", ") : value]];
    }),
  );
}

function meaningOf(error: Error, { host, begun }: { host: string; begun: boolean }): Error {
  if (error instanceof StepError) return error;
  if (!begun) return isCertificateFault(error) ? certificateFault(host, error) : notConnected(host, error);
  if (error instanceof errors.HeadersOverflowError)
    return new StepError("response-too-large", `The headers of ${host}'s answer are larger than 16 KiB.`, {
      cause: error,
    });
  // It did answer, though not in HTTP: whether it acted cannot be told.
  const how =
    error instanceof errors.HTTPParserError
      ? "answered with what is no HTTP"
      : "closed the line before it had answered";
  return new StepError("connection-broken", `${host} ${how} (${codeOf(error)}).`, {
    retryable: true,
    details: { unsure: true },
    cause: error,
  });
}

function notConnected(host: string, error: Error): StepError {
  return new StepError("not-connected", `${host} could not be reached (${codeOf(error)}). Nothing was sent.`, {
    retryable: true,
    cause: error,
  });
}

function unanswered(host: string, timeoutMs: number): StepError {
  return new StepError("timeout", `${host} did not answer within ${timeoutMs} ms.`, {
    retryable: true,
    details: { unsure: true },
  });
}

function unconnected(host: string, timeoutMs: number): StepError {
  return new StepError("not-connected", `${host} took no connection within ${timeoutMs} ms. Nothing was sent.`, {
    retryable: true,
  });
}

function certificateFault(host: string, error: Error): StepError {
  return new StepError(
    "certificate",
    `${host} has no certificate that is trusted (${codeOf(error)}). Nothing was sent. A connection can name the authority of one's own.`,
    { cause: error },
  );
}

function isCertificateFault(error: Error): boolean {
  return /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|HOSTNAME_MISMATCH|ALTNAME/.test(codeOf(error));
}

function codeOf(error: Error): string {
  const code = "code" in error ? String(error.code) : error.message;
  // Of several addresses, each with its own error, the last says enough.
  const [first]: unknown[] = error instanceof AggregateError ? error.errors : [];
  return first instanceof Error ? codeOf(first) : code;
}
