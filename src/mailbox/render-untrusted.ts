import { extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { projectRoot } from "../config.ts";
import { StepError } from "../errors.ts";
import { renderMarkdown } from "./markdown.ts";
import type { Rendered } from "./markdown-main.ts";

/** Characters that are read at once: whatever they are, that takes some milliseconds. */
const mostAtOnce = 2_000;
/** How long a thread may read. */
const mostMs = 5_000;

/**
 * The HTML of markdown that anybody may have written. Reading it takes time by the square of its length
 * where somebody means ill, and as many stack frames as it is deep: longer text is read in a thread of its
 * own, which is ended when it takes too long. Throws StepError `invalid-input`, or the signal's reason.
 */
export async function renderUntrusted(source: string, signal: AbortSignal): Promise<string> {
  if (source.length > mostAtOnce) return renderInThread(source, signal);
  try {
    return renderMarkdown(source);
  } catch (error) {
    throw unreadable(error);
  }
}

const extension = extname(import.meta.url);
const typescript = pathToFileURL(join(projectRoot, "scripts", "typescript.mjs")).href;
/** From source, the thread takes the types out: what does so begins by itself in main threads only. */
const execArgv =
  extension === ".ts"
    ? [
        "--import",
        `data:text/javascript,import { register } from "node:module"; register(${JSON.stringify(typescript)});`,
      ]
    : [];

async function renderInThread(source: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted();
  const thread = new Worker(new URL(`./markdown-main${extension}`, import.meta.url), {
    workerData: source,
    env: {},
    execArgv,
    resourceLimits: { maxOldGenerationSizeMb: 128 },
  });
  let stop: (() => void) | undefined;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<string>((resolve, reject) => {
      stop = () => reject(signal.reason as Error);
      signal.addEventListener("abort", stop, { once: true });
      // What a thread takes to begin is not its text's.
      thread.once("online", () => (timer = setTimeout(() => reject(unreadable(undefined)), mostMs)));
      thread.once("message", (html: Rendered) => (html === null ? reject(unreadable(undefined)) : resolve(html)));
      // Anything else, such as a thread that could not begin, is no fault of the text.
      thread.once("error", (error) => reject(isOutOfMemory(error) ? unreadable(error) : error));
    });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal.removeEventListener("abort", stop);
    await thread.terminate();
  }
}

function isOutOfMemory(error: Error): boolean {
  return "code" in error && error.code === "ERR_WORKER_OUT_OF_MEMORY";
}

function unreadable(cause: unknown): StepError {
  return new StepError(
    "invalid-input",
    'The mail\'s markdown cannot be read: it is nested too deeply, or takes longer than five seconds. Send what others wrote as "text".',
    { cause },
  );
}
