import { loopOf, openingOf, type ItemEnd, type IteratorStep, type Verdict } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import { sealRows, type OwnRow, type RunKey, type StepFailure } from "../runs/ledger.ts";
import { findLoopFailure, findProgress, itemAt, readItem, sealLoop, type ItemPages } from "../runs/loops.ts";
import { loadRows } from "../runs/known-rows.ts";
import type { Sql } from "../sql.ts";
import { failedRow } from "./perform.ts";

/** Seals a loop whose items are over, or that one of them or its opening ended: from what the ledger has of them. */
export async function closeLoop(
  sql: Sql,
  key: RunKey,
  { step, own }: { step: IteratorStep; own: OwnRow },
): Promise<Verdict> {
  const failure = await findLoopFailure(sql, {
    runId: key.runId,
    path: own.path,
    unlessItems: step.onItemError === "continue",
  });
  if (failure !== undefined) {
    const row = failedRow(step, { ...own, input: null }, failure);
    await sealRows(sql, key, [row]);
    return row.verdict;
  }
  const verdict: Verdict = { kind: "done" };
  await sealLoop(sql, key, {
    ...own,
    kind: step.kind,
    status: "done",
    outcome: null,
    verdict,
    input: null,
    endedAt: new Date(),
  });
  return verdict;
}

/** How many items a loop has, with how far it is now: what is done of it stands in the ledger. */
export async function withProgress(
  sql: Sql,
  { runId, path }: { runId: string; path: string },
  verdict: Verdict,
): Promise<Verdict> {
  if (verdict.kind !== "items") return verdict;
  return findProgress(sql, { runId, path: loopOf(path), count: verdict.count });
}

/** An item that is over: whose it is, and of one that failed what failed and with which item. */
export interface Closing {
  readonly ended: ItemEnd;
  readonly failure: StepFailure | null;
  readonly item: Json;
}

/** What the row of an item that is over says. `failureOf`: the error in a step's row. */
export async function describeClosing(
  sql: Sql,
  { runId, path, ended }: { runId: string; path: string; ended: ItemEnd },
  pages?: ItemPages,
): Promise<Closing> {
  if (ended.kind !== "failed") return { ended, failure: null, item: null };
  const { loop, index } = itemAt(path);
  const rows = await loadRows(sql, runId, [{ path: ended.path, subs: [], error: true }]);
  const { code } = ended;
  const error = rows.get(ended.path)?.error as StepFailure | null | undefined;
  const failure = { message: `${ended.path} failed.`, ...error, code, path: ended.path };
  return { ended, failure, item: await readItem(sql, { runId, path: openingOf(loop), index }, pages) };
}
