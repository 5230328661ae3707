import { z } from "zod";
import type { CodeFailure } from "../protocol.ts";

/** As the prelude writes it; it lies in the user's reach and may be anything. */
const thrownSchema = z.object({ why: z.enum(["threw", "result"]), message: z.string(), stack: z.string() });

const mostFrames = 10;

/** What a thrown value means, as the prelude described it. Empty: it could not be described. */
export function readFailure(described: string, isOver: boolean): CodeFailure {
  if (isOver) return failed("timeout");
  const { data } = thrownSchema.safeParse(parse(described));
  // Nothing is thrown where there was no room for an error.
  if (data === undefined || /^(InternalError: )?out of memory$|^It threw null\.$/.test(data.message))
    return failed("memory");
  const frames = data.stack.split("\n").filter((line) => place.test(line));
  const [, line, column] = place.exec(frames[0] ?? "") ?? [];
  return {
    ...failed(data.why, data.message.slice(0, 2_100)),
    ...(line === undefined ? {} : { place: { line: Number(line), column: Number(column) } }),
    stack: frames.slice(0, mostFrames).map((frame) => frame.trim().replace("source:", "line ").slice(0, 200)),
  };
}

const place = /\bsource:(\d+):(\d+)/;

/** A failure of which no more is known. */
export function failed(why: CodeFailure["why"], message = ""): CodeFailure {
  return { kind: "failed", why, message, stack: [] };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
