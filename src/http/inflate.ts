import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, inflateRaw, type BrotliOptions, type ZlibOptions } from "node:zlib";
import { StepError } from "../errors.ts";

/** More encodings on top of one another than this are an attack. */
const mostEncodings = 2;
/** What a small answer may swell to whatever its ratio, in bytes. */
const harmlessBytes = 1_048_576;
/** Deflate reaches about 1000 with nothing but repetition; what says something stays far below this. */
const mostRatio = 200;

type Inflate = (body: Buffer, options: ZlibOptions & BrotliOptions) => Promise<Buffer>;

const decoders: Readonly<Record<string, Inflate>> = {
  gzip: promisify<Buffer, ZlibOptions, Buffer>(gunzip),
  "x-gzip": promisify<Buffer, ZlibOptions, Buffer>(gunzip),
  br: promisify<Buffer, BrotliOptions, Buffer>(brotliDecompress),
  deflate: inflateEither,
};

/** The encodings that are understood, as `accept-encoding` names them. */
export const acceptedEncodings = "gzip, deflate, br";

/**
 * The body without its content encodings, of at most `most` bytes. Throws StepError
 * `response-too-large`, or `invalid-response` for what is not encoded as it says.
 */
export async function inflateBody(body: Buffer, contentEncoding: string | undefined, most: number): Promise<Buffer> {
  const encodings = (contentEncoding ?? "")
    .split(",")
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== "" && name !== "identity");
  if (encodings.length > mostEncodings)
    throw new StepError(
      "invalid-response",
      `The answer is encoded ${encodings.length} times; ${mostEncodings} are taken.`,
    );
  let decoded = body;
  if (body.length === 0) return body;
  const limit = Math.min(most, Math.max(harmlessBytes, body.length * mostRatio));
  for (const encoding of encodings.toReversed()) decoded = await decode(decoded, encoding, limit);
  return decoded;
}

async function decode(body: Buffer, encoding: string, most: number): Promise<Buffer> {
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined;
  if (decoder === undefined)
    throw new StepError(
      "invalid-response",
      `The answer is encoded as ${JSON.stringify(encoding.slice(0, 40))}, which was not asked for.`,
    );
  try {
    return await decoder(body, { maxOutputLength: most });
  } catch (error) {
    if (error instanceof RangeError) throw tooLarge(most, error);
    throw new StepError("invalid-response", `The answer says that it is encoded as ${encoding}, and is not.`, {
      cause: error,
    });
  }
}

/** Some servers send bare deflate where the standard means zlib's wrapping. */
async function inflateEither(body: Buffer, options: ZlibOptions): Promise<Buffer> {
  const isWrapped = ((body[0] ?? 0) & 0x0f) === 8;
  return promisify<Buffer, ZlibOptions, Buffer>(isWrapped ? inflate : inflateRaw)(body, options);
}

/** Refuses an answer for its size. */
export function tooLarge(most: number, cause?: unknown): StepError {
  return new StepError(
    "response-too-large",
    `The answer has more than ${most} bytes, unpacked. Ask for less, or raise "maximumBytes" in the step's input.`,
    { cause },
  );
}
