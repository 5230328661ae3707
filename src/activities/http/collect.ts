import type { Json, JsonObject } from "../../json.ts";
import { beginGated, commitGated } from "../../runs/ledger.ts";
import { addStepLists, cutPages } from "../../runs/step-lists.ts";
import type { OutsideContext } from "../step-kind.ts";
import type { PageMark } from "./pages.ts";

/** Items up to so much JSON are kept with the progress; more are moved to pages of their own. */
const inlineBytes = 524_288;
const listName = "items";

/** How far a pagination has come: what a later attempt goes on from. */
export interface Progress {
  /** Pages that were read. */
  readonly pages: number;
  /** Items that they had. */
  readonly count: number;
  /** What asks for the next page. */
  readonly next: PageMark;
  /** Items that are not in pages yet. */
  readonly items: Json[];
  /** How many pages of the list are stored. */
  readonly stored: number;
  /** Items in them. */
  readonly storedItems: number;
}

const nothing: Progress = { pages: 0, count: 0, next: null, items: [], stored: 0, storedItems: 0 };

/** What an earlier attempt saved; only we write it. */
export function readProgress(saved: JsonObject): Progress {
  return { ...nothing, ...(saved["pagination"] as Partial<Progress> | undefined) };
}

/** Progress as it is saved. */
export function savedProgress(progress: Progress): JsonObject {
  return { pagination: { ...progress } };
}

/**
 * Takes out pages that an attempt stored and died before it had saved that it had. One that stood still, and
 * that a later one has overtaken, takes out nothing: what is there is that one's.
 */
export async function dropUnsaved(
  { sql, run, path, fence, attempt }: Pick<OutsideContext, "sql" | "run" | "path" | "fence" | "attempt">,
  { stored }: Pick<Progress, "stored">,
): Promise<void> {
  const statement = beginGated({ runId: run.id, fence });
  const p = statement.param;
  const own = p(path, "text");
  statement.with(
    "latest",
    `select c.run_id from tandem.outside_calls c, gate g
     where c.run_id = g.run_id and c.path = ${own} and c.attempt <= ${p(attempt, "integer")} for update of c`,
  );
  statement.with(
    "dropped",
    `delete from tandem.step_lists l using latest
     where l.run_id = latest.run_id and l.path = ${own} and l.name = ${p(listName, "text")} and l.page >= ${p(stored, "integer")}`,
  );
  await commitGated(sql, statement);
}

/** Moves the items to pages once they are many, or, with `all`, in any case. Throws FencedError. */
export async function storeItems(
  context: OutsideContext,
  progress: Progress,
  { all }: { all: boolean },
): Promise<Progress> {
  const texts = progress.items.map((item) => JSON.stringify(context.redact(item)));
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (texts.length === 0 || (bytes <= inlineBytes && !all)) return progress;
  const pages = cutPages(texts, { name: listName, page: progress.stored, first: progress.storedItems });
  const statement = beginGated({ runId: context.run.id, fence: context.fence });
  addStepLists(statement, [{ path: context.path, pages }]);
  await commitGated(context.sql, statement);
  return {
    ...progress,
    items: [],
    stored: progress.stored + pages.length,
    storedItems: progress.storedItems + texts.length,
  };
}
