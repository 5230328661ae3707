import { createHash } from "node:crypto";
import { isJsonObject, type Json } from "../json.ts";
import type { Log } from "../log.ts";
import type { SqlPool } from "../sql.ts";
import { insertCalls, insertOutcomes, type AuditedCall, type AuditedOutcome } from "../vault/audit.ts";

/** Writes the audit of this process's calls. */
export interface Audit {
  /** Commits that a call begins, before anything of it is done. */
  begin(call: AuditedCall): Promise<void>;
  /** Keeps what came of it, soon. */
  end(outcome: AuditedOutcome): void;
  /** Resolves once all that has ended is kept. */
  settled(): Promise<void>;
}

export function createAudit({ pool, log }: { pool: SqlPool; log: Log }): Audit {
  const calls = createBatches<AuditedCall>((batch) => insertCalls(pool, batch));
  const outcomes = createBatches<AuditedOutcome>((batch) => insertOutcomes(pool, batch));
  const open = new Set<Promise<void>>();
  return {
    begin: (call) => calls.add(call),
    end(outcome) {
      const kept: Promise<void> = outcomes
        .add(outcome)
        .catch((error: unknown) =>
          log.error({ err: error, ...outcome }, "what came of a call was not kept in the audit"),
        )
        .finally(() => open.delete(kept));
      open.add(kept);
    },
    async settled() {
      await Promise.all(open);
    },
  };
}

/**
 * Writes one batch at a time; what comes meanwhile makes up the next. Who comes alone does not wait for
 * others, and many at once cost one statement.
 */
function createBatches<Item>(write: (items: readonly Item[]) => Promise<void>): { add(item: Item): Promise<void> } {
  let next: { items: Item[]; written: Promise<void> } | undefined;
  let current = Promise.resolve();
  return {
    add(item) {
      if (next === undefined) {
        const batch: Item[] = [];
        const before = current;
        const written = before
          .catch(() => {})
          .then(() => {
            next = undefined;
            return write(batch);
          });
        next = { items: batch, written };
        current = written;
      }
      next.items.push(item);
      return next.written;
    },
  };
}

/** What a reader sees of something, as the audit keeps it. */
export interface Look {
  readonly digest: string;
  readonly body: Json;
}

/** A look at what a reader is shown: it holds no secrets, since no reader is shown any. */
export function lookAt(shown: unknown): Look {
  const text = JSON.stringify(shown);
  return { digest: createHash("sha256").update(text).digest("hex"), body: JSON.parse(text) as Json };
}

/** Names of what differs between two looks. */
export function changesBetween(before: Look | undefined, after: Look | undefined): string[] | null {
  if (before === undefined || after === undefined) return null;
  const [was, is] = [before.body, after.body];
  if (!isJsonObject(was) || !isJsonObject(is)) return null;
  const names = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...names].filter((name) => JSON.stringify(was[name]) !== JSON.stringify(is[name]));
}
