import { z } from "zod";
import type { Batch, RowOutcome } from "../crm/batch.ts";
import type { WriteModes } from "../crm/modes.ts";
import type { Writer } from "../crm/writer.ts";
import type { RecordCondition } from "../definition/conditions.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { commitGated, isLedgerConflict } from "../runs/ledger.ts";
import { longListOf } from "../runs/long-lists.ts";
import type { Seal, Sealed } from "../runs/seal.ts";
import { addListPage, findListEnd, pageItems, readListPage, readListPages } from "../runs/step-lists.ts";
import type { Sql } from "../sql.ts";
import { createStepWriter } from "./record-step.ts";
import type { StepContext } from "./step-kind.ts";

/** A step that writes many records. */
export interface ManyRecords {
  readonly context: StepContext;
  readonly seal: Seal;
  readonly given: {
    /** A list, or what stands for one that is kept as pages. */
    readonly records: Json;
    /** Written to every record, above its own values. */
    readonly values?: JsonObject | undefined;
    readonly modes?: WriteModes | undefined;
    readonly onlyIf?: RecordCondition | undefined;
  };
}

type WriteBatch = (writer: Writer, batch: Omit<Batch, "object">) => Promise<RowOutcome[]>;

/**
 * Writes records page by page, each page in one transaction with how far the step is then: an attempt
 * goes on after the last page that was committed, whoever wrote it. Records that are one page commit
 * with the step's result.
 */
export async function writeRecords(step: ManyRecords, write: WriteBatch): Promise<Sealed> {
  const { context, given } = step;
  if (Array.isArray(given.records) && given.records.length <= pageItems) return writeOnly(step, given.records, write);
  const source = createSource(context, given.records);
  for (;;) {
    const progress = await findProgress(context);
    if (progress.next >= source.count) return sealProgress(step, progress);
    context.signal.throwIfAborted();
    try {
      await writePage(step, { progress, items: await source.read(progress.next) }, write);
    } catch (error) {
      // Another attempt wrote this page: the next one goes on after it.
      if (!isLedgerConflict(error)) throw error;
    }
  }
}

interface Source {
  readonly count: number;
  /** Some of the items, from the index on. */
  read(from: number): Promise<readonly Json[]>;
}

function createSource({ sql, run }: StepContext, records: Json): Source {
  const list = longListOf(records);
  if (list === undefined) {
    const items = Array.isArray(records) ? records : [];
    return { count: items.length, read: async (from) => items.slice(from, from + pageItems) };
  }
  return {
    count: list.count,
    async read(from) {
      const page = await readListPage(sql, { runId: run.id, ...list, index: from });
      if (page === undefined) throw new Error(`Item ${from} of the list "${list.name}" of ${list.path} is not there.`);
      return page.items.slice(from - page.first, list.count - page.first);
    },
  };
}

const totals = z.object({
  /** Index of the next record. */
  next: z.number(),
  created: z.number(),
  updated: z.number(),
  unchanged: z.number(),
  refused: z.number(),
});
type Totals = z.output<typeof totals>;

/** How far a step is. */
interface Progress extends Totals {
  /** Number of the next page. */
  readonly page: number;
}

/** A list of the step's own: each page holds what it had come to. */
const progressName = ".progress";

async function findProgress({ sql, run, path }: StepContext): Promise<Progress> {
  const end = await findListEnd(sql, { runId: run.id, path, name: progressName });
  if (end === undefined) return { page: 0, ...nothing };
  return { page: end.page, ...totals.parse(end.last) };
}

const nothing: Totals = { next: 0, created: 0, updated: 0, unchanged: 0, refused: 0 };

/** What a page came to. */
interface Written {
  readonly totals: Totals;
  readonly ids: ReadonlyArray<string | null>;
  readonly refused: ReadonlyArray<{ readonly index: number; readonly code: string; readonly reason: string }>;
}

/** Writes items in one transaction, with what `keep` adds to it. */
async function writeItems(
  { context, seal, given: { records: _records, values, ...rest } }: ManyRecords,
  { items, before }: { items: readonly Json[]; before: Totals },
  { write, keep }: { write: WriteBatch; keep: (sql: Sql, written: Written) => Promise<void> },
): Promise<void> {
  const rows = items.flatMap((item, position) => {
    const row = rowOf(item);
    return row === undefined ? [] : [{ position, row: { ...row, ...values } }];
  });
  await write(createStepWriter(context, seal), {
    ...rest,
    rows: rows.map(({ row }) => row),
    records: false,
    before: (sql) => commitGated(sql, seal.begin({ locked: true })),
    andThen: (sql, outcomes) =>
      keep(sql, tally(items, before, new Map(rows.map(({ position }, i) => [position, outcomes[i]])))),
  });
}

/** A record's values; text is its id. Undefined: it is neither. */
function rowOf(item: Json): JsonObject | undefined {
  if (typeof item === "string") return { id: item };
  return isJsonObject(item) ? item : undefined;
}

const noRecord = { code: "invalid-values", message: "A record is an object of fields, or the text of an id." };

function tally(items: readonly Json[], before: Totals, outcomes: ReadonlyMap<number, RowOutcome | undefined>): Written {
  const count = { ...before, next: before.next + items.length };
  const ids: Array<string | null> = [];
  const refused: Array<Written["refused"][number]> = [];
  for (const position of items.keys()) {
    const { outcome = "refused", id = null, refusal = noRecord } = outcomes.get(position) ?? {};
    count[outcome] += 1;
    ids.push(id);
    if (outcome !== "refused") continue;
    refused.push({ index: before.next + position, code: refusal.code, reason: refusal.message });
  }
  return { totals: count, ids, refused };
}

async function writePage(
  step: ManyRecords,
  { progress: { page, ...before }, items }: { progress: Progress; items: readonly Json[] },
  write: WriteBatch,
): Promise<void> {
  const { path } = step.context;
  await writeItems(
    step,
    { items, before },
    {
      write,
      async keep(sql, { totals: after, ids, refused }) {
        const statement = step.seal.begin();
        const add = (name: string, first: number, list: unknown): void =>
          addListPage(statement, { path, name, page, first }, `select ${statement.param(list, "jsonb")} as items`);
        add(progressName, page, [after]);
        add("ids", before.next, ids);
        if (refused.length > 0) add("refused", before.refused, refused);
        await commitGated(sql, statement);
      },
    },
  );
}

async function writeOnly(step: ManyRecords, items: readonly Json[], write: WriteBatch): Promise<Sealed> {
  let sealed: Sealed | undefined;
  await writeItems(
    step,
    { items, before: nothing },
    {
      write,
      async keep(sql, { totals: after, ids, refused }) {
        sealed = await sealOutput(step, sql, {
          totals: after,
          ids: [...ids],
          refused: refused.map((row) => ({ ...row })),
        });
      },
    },
  );
  if (sealed === undefined) throw new Error(`Step ${step.context.path}: its records were not sealed.`);
  return sealed;
}

/** Refusals up to this many stand in the output itself. */
const mostInline = 200;

/** Seals what was written page by page: its lists are there. */
async function sealProgress(step: ManyRecords, progress: Progress): Promise<Sealed> {
  const { sql, run, path } = step.context;
  const isShort = progress.refused <= mostInline;
  const refused: Json[] = [];
  const kept = { runId: run.id, path, name: "refused", count: isShort ? progress.refused : 0 };
  for await (const { items } of readListPages(sql, kept)) refused.push(...items);
  return sealOutput(step, sql, {
    totals: progress,
    ids: { count: progress.next },
    refused: isShort ? refused : { count: progress.refused },
    lists: { ids: progress.next, ...(isShort ? {} : { refused: progress.refused }) },
  });
}

async function sealOutput(
  { context, seal }: ManyRecords,
  sql: Sql,
  result: { totals: Totals; ids: Json; refused: Json; lists?: JsonObject },
): Promise<Sealed> {
  const { totals: all, ids, refused, lists = null } = result;
  const { created, updated, unchanged } = all;
  const statement = seal.begin();
  const p = statement.param;
  const output = p({ created, updated, unchanged, refused, ids }, "jsonb");
  statement.with(
    "written",
    `select ${output} as output, ${p(outcomeOf(all), "text")} as outcome, ${p(lists, "jsonb")} as lists`,
  );
  const sealed = await seal.commit(sql, statement, {
    from: "written",
    output: "output",
    outcome: "outcome",
    lists: "lists",
  });
  if (sealed === undefined) throw new Error(`Step ${context.path}: its records were not sealed.`);
  return sealed;
}

/** `3 created, 1 refused`. */
function outcomeOf({ created, updated, unchanged, refused }: Totals): string {
  const named = Object.entries({ created, updated, unchanged, refused }).filter(([, count]) => count > 0);
  return named.length === 0 ? "nothing written" : named.map(([name, count]) => `${count} ${name}`).join(", ");
}
