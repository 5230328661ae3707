import { parentPort, workerData } from "node:worker_threads";
import { renderMarkdown } from "./markdown.ts";

/** What the thread says: null where the text cannot be read. */
export type Rendered = string | null;

function render(source: string): Rendered {
  try {
    return renderMarkdown(source);
  } catch {
    return null;
  }
}

// The thread in which long markdown is read: it is given the text, and says its HTML.
parentPort?.postMessage(render(String(workerData)));
