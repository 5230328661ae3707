import { z } from "zod";
import { mostDataBytes, mostLogBytes, mostSourceBytes } from "./limits.ts";

/** What a child is asked; `text` goes beside it, since JSON in JSON would be escaped twice. */
export type Request =
  /** Take the types out of the source, which is the text, and say what is wrong with it. */
  | { readonly kind: "check"; readonly timeMs: number }
  /** Call the source's function; the text is its argument as JSON. */
  | {
      readonly kind: "run";
      /** JavaScript, as a check gave it. */
      readonly source: string;
      /** IANA zone in which the helpers reckon where none is named. */
      readonly timeZone: string;
      /** ISO 8601: what the helpers take for now. */
      readonly now: string;
      readonly timeMs: number;
      readonly memoryMiB: number;
    };

const place = z.object({ line: z.number().int().min(1), column: z.number().int().min(1) });
const message = z.string().max(4_000);

/** A place in the source as people count: from 1. */
export type SourcePlace = z.output<typeof place>;

const fault = z.object({ message, place: place.optional() });

/** What is wrong with a source. */
export type SourceFault = z.output<typeof fault>;

const failure = z.object({
  kind: z.literal("failed"),
  /** `threw`: the code's own error; `result`: what it returned is no JSON; `stuck`: its promise never settles. */
  why: z.enum(["threw", "result", "stuck", "source", "timeout", "memory", "crashed"]),
  message,
  place: place.optional(),
  /** Lines of the stack that lie in the source. */
  stack: z.array(z.string().max(300)).max(10),
});

/** Something in the child broke: it is not to be asked again. */
const spent = z.boolean();
const log = z.string().max(mostLogBytes + 200);

/** What a child says: the text beside it is JavaScript after a check, the output's JSON after a run. */
export const answerSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("ready") }),
  /** A run has the interpreter it needs, and its time begins. */
  z.object({ kind: z.literal("begun") }),
  z.object({ kind: z.literal("checked"), faults: z.array(fault).max(20), spent }),
  z.object({ kind: z.literal("done"), log, rssBytes: z.number() }),
  failure.extend({ log, rssBytes: z.number(), spent }),
]);

export type Answer = z.output<typeof answerSchema>;
/** Why code gave no result. */
export type CodeFailure = z.output<typeof failure>;

/** A message and the text beside it. */
export interface Frame {
  readonly header: unknown;
  readonly text: string;
}

const prefixBytes = 8;
const mostHeaderBytes = 4 * (mostSourceBytes + mostLogBytes);
/** Text of eight million characters may be more bytes than that only where JSON escapes it. */
const mostTextBytes = mostDataBytes + 1_024;

/** The bytes of a frame: two lengths, the header as JSON, the text. */
export function writeFrame(header: Request | Answer, text: string): Buffer {
  const head = Buffer.from(JSON.stringify(header));
  const body = Buffer.from(text);
  const prefix = Buffer.alloc(prefixBytes);
  prefix.writeUInt32BE(head.length, 0);
  prefix.writeUInt32BE(body.length, 4);
  return Buffer.concat([prefix, head, body]);
}

/**
 * Cuts a stream of bytes into frames. Throws an Error for a frame that is longer than any may be, or
 * whose header is no JSON: whoever sends that is not to be spoken to.
 */
export function createFrameReader(take: (frame: Frame) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let held = 0;
  let wanted = prefixBytes;

  return (chunk) => {
    chunks.push(chunk);
    held += chunk.length;
    while (held >= wanted) {
      const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
      const [headBytes, textBytes] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)];
      if (headBytes > mostHeaderBytes || textBytes > mostTextBytes) throw new Error("A frame is too long.");
      const end = prefixBytes + headBytes + textBytes;
      const isWhole = bytes.length >= end;
      chunks = isWhole ? [bytes.subarray(end)] : [bytes];
      held = isWhole ? bytes.length - end : bytes.length;
      wanted = isWhole ? prefixBytes : end;
      if (isWhole) take(read(bytes.subarray(prefixBytes, end), headBytes));
    }
  };
}

function read(bytes: Buffer, headBytes: number): Frame {
  const header: unknown = JSON.parse(bytes.toString("utf8", 0, headBytes));
  return { header, text: bytes.toString("utf8", headBytes) };
}
