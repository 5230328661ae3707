import type { IncomingMessage } from "node:http";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { ProblemError } from "../../errors.ts";

const inflate = promisify(gunzip);

/**
 * The body as it arrived, inflated when it was sent with gzip. Never holds more than `maxBytes` of it,
 * as sent or inflated. What is left unread is thrown away while the answer is on its way, since a
 * sender that is cut off in the middle of its body does not read why.
 * Throws a ProblemError: 413 past the limit, 415 for another encoding, 400 for a broken one.
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const encoding = request.headers["content-encoding"]?.trim().toLowerCase() ?? "identity";
  if (encoding !== "identity" && encoding !== "gzip" && encoding !== "") {
    throw new ProblemError(
      415,
      "unsupported-encoding",
      `Content-Encoding "${encoding}" is not read. Send the body plain or with gzip.`,
      {
        headers: { "accept-encoding": "gzip, identity" },
      },
    );
  }
  const announced = Number(request.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  const sent = await collect(request, maxBytes);
  return encoding === "gzip" ? inflateWithin(sent, maxBytes) : sent;
}

function collect(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (act: () => void): void => {
      request.off("data", onData).off("end", onEnd).off("close", onCut).off("error", onCut);
      act();
    };
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else settle(() => reject(tooLarge(maxBytes)));
    };
    const onEnd = (): void => settle(() => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes)));
    const onCut = (): void =>
      settle(() => reject(new ProblemError(400, "incomplete-body", "The connection ended before the body did.")));
    request.on("data", onData).on("end", onEnd).on("close", onCut).on("error", onCut);
  });
}

async function inflateWithin(sent: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return await inflate(sent, { maxOutputLength: maxBytes });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(maxBytes);
    throw new ProblemError(400, "malformed-request", "The body is not valid gzip, though Content-Encoding says so.", {
      cause: error,
    });
  }
}

function tooLarge(maxBytes: number): ProblemError {
  return new ProblemError(
    413,
    "body-too-large",
    `The body is larger than ${maxBytes} bytes, which is the most that is accepted here.`,
  );
}
