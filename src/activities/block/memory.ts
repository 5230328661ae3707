import type { Json } from "../../json.ts";
import { itemsOf, type ItemPages } from "../../runs/loops.ts";
import { loadRows, type KnownRow } from "../../runs/known-rows.ts";
import type { Needs } from "../../runs/needs.ts";
import type { Sql } from "../../sql.ts";

/** What a block knows of rows without asking for them again: those it made, and parts of others that it loaded. */
export function createMemory(sql: Sql, runId: string) {
  const made = new Map<string, KnownRow>();
  const loaded = new Map<string, KnownRow | undefined>();
  const pages: ItemPages = new Map();
  const keyOf = (need: Needs["rows"][number]): string => JSON.stringify([need.path, need.subs, need.error]);

  return {
    pages,
    /** The items of a loop that was opened here; the ledger may not have them yet. */
    keepItems(path: string, output: Json | null): void {
      pages.set(path, itemsOf(path, output ?? {}));
    },
    remember(path: string, row: KnownRow): void {
      made.set(path, row);
    },
    /** Rows that expressions need, by their ledger paths; `isThere` says of which it is known whether there is one. */
    async read(
      needs: Needs["rows"],
      isThere: (path: string) => boolean,
    ): Promise<(path: string) => KnownRow | undefined> {
      const others = needs.filter(({ path }) => !made.has(path) && isThere(path));
      const missing = others.filter((need) => !loaded.has(keyOf(need)));
      const found = await loadRows(sql, runId, missing);
      for (const need of missing) loaded.set(keyOf(need), found.get(need.path));
      const read = new Map(others.map((need) => [need.path, loaded.get(keyOf(need))]));
      return (path) => made.get(path) ?? read.get(path);
    },
    /** Lets go of what lies in an item that is over: nobody reads it any more. */
    forget(prefix: string): void {
      for (const path of made.keys()) if (path.startsWith(prefix)) made.delete(path);
      for (const path of pages.keys()) if (path.startsWith(prefix)) pages.delete(path);
      for (const key of loaded.keys()) if (key.startsWith(`["${prefix}`)) loaded.delete(key);
    },
  };
}
