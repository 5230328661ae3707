import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { ProblemError } from "../../errors.ts";
import { liftLimit, limitArrival } from "./arrival.ts";

/** How long a file may pause on its way. */
const pauseMs = 60_000;

/**
 * The bytes of a file that is sent as a request's body, inflated when they were sent with gzip, as they
 * come: whoever reads them slowly makes the sender wait. It takes as long as it does, while it goes on
 * coming. Throws ProblemError: 415 for another encoding, 400 when the sender breaks off, or for broken
 * gzip.
 */
export async function* openFile(request: IncomingMessage): AsyncGenerator<Buffer, void, undefined> {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip")
    throw new ProblemError(
      415,
      "unsupported-encoding",
      `Content-Encoding "${encoding}" is not read. Send the file plain or with gzip.`,
      { headers: { "accept-encoding": "gzip, identity" } },
    );
  liftLimit(request);
  const waiting = (): NodeJS.Timeout => setTimeout(() => request.destroy(), pauseMs);
  let pause = waiting();
  try {
    // Who stops reading answers first: the connection must outlive that.
    for await (const chunk of bytesOf(request, encoding).iterator({ destroyOnReturn: false })) {
      clearTimeout(pause);
      yield toBuffer(chunk);
      pause = waiting();
    }
  } catch (error) {
    throw explain(error);
  } finally {
    clearTimeout(pause);
    if (!request.complete) throwAway(request);
  }
}

function bytesOf(request: IncomingMessage, encoding: "identity" | "gzip"): Readable {
  if (encoding === "identity") return request;
  const inflating = request.pipe(createGunzip());
  request.once("error", (error) => inflating.destroy(error));
  request.once("close", () => {
    if (!request.complete) inflating.destroy(new Error("The sender broke off."));
  });
  return inflating;
}

/** What comes behind the answer is not kept: a sender that is cut off does not read why. */
function throwAway(request: IncomingMessage): void {
  limitArrival(request);
  request.unpipe();
  request.resume();
}

function explain(error: unknown): ProblemError {
  if ((error as NodeJS.ErrnoException).code?.startsWith("Z_") === true)
    return new ProblemError(400, "malformed-request", "The file is not valid gzip, though Content-Encoding says so.", {
      cause: error,
    });
  return new ProblemError(400, "incomplete-body", "The connection ended before the file did.", { cause: error });
}

function toBuffer(chunk: unknown): Buffer {
  if (Buffer.isBuffer(chunk)) return chunk;
  throw new Error("A request's body came as something else than bytes.");
}
