import { createWriteStream, existsSync, mkdirSync, renameSync, statSync, type WriteStream } from "node:fs";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Say } from "./progress.ts";

const rotateAtBytes = 10 * 1_048_576;
const keptFiles = 3;
/** The same sentence is said once in this time. */
const quietMs = 5 * 60_000;

/** Where one part's output goes. */
export interface PartLog {
  readonly file: string;
  write(text: string): void;
}

/** pino's line; 40 is its level "warn". */
const warningLine = z.object({ level: z.number().min(40), msg: z.string().default("an error without a message") });

/**
 * Writes a part's output to `<directory>/<name>.log`, which is renamed when it grows past 10 MiB, and
 * says each structured warning and error in it as a sentence.
 */
export function createPartLog({ directory, name, say }: { directory: string; name: string; say: Say }): PartLog {
  const file = join(directory, `${name}.log`);
  mkdirSync(dirname(file), { recursive: true });
  let stream = open(file);
  let size = existsSync(file) ? statSync(file).size : 0;
  let rest = "";
  const lastSaid = new Map<string, number>();

  function surface(line: string): void {
    const message = warningIn(line);
    if (message === undefined || Date.now() - (lastSaid.get(message) ?? 0) < quietMs) return;
    if (lastSaid.size > 1_000) lastSaid.clear();
    lastSaid.set(message, Date.now());
    say(`${name}: ${message} (more in ${file})`);
  }

  return {
    file,
    write(text) {
      if (size > rotateAtBytes) {
        stream.end();
        rotate(file);
        stream = open(file);
        size = 0;
      }
      size += Buffer.byteLength(text);
      stream.write(text);
      const lines = (rest + text).split("\n");
      rest = (lines.pop() ?? "").slice(-100_000);
      for (const line of lines) surface(line);
    },
  };
}

function open(file: string): WriteStream {
  // A full disk must not end the supervisor: what it cannot write is lost, what runs goes on.
  return createWriteStream(file, { flags: "a" }).on("error", () => {});
}

function rotate(file: string): void {
  for (let number = keptFiles - 1; number >= 0; number--) {
    const from = number === 0 ? file : `${file}.${number}`;
    if (existsSync(from)) renameSync(from, `${file}.${number + 1}`);
  }
}

function warningIn(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return warningLine.safeParse(JSON.parse(line)).data?.msg;
  } catch {
    return undefined;
  }
}
