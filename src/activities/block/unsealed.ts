import type { StepRow } from "../../runs/ledger.ts";

/**
 * Rows of one walk that wait for its next write, and characters of their outputs as JSON, about: a loop that
 * writes nothing would hold those of thousands of items, and Postgres takes only so much in one statement.
 */
const most = { rows: 500, characters: 4_000_000 };

/**
 * Results that changed nothing and ride with the next write of the walk that they are of (DURABILITY.md
 * §5). Walks beside one another have lanes of their own: `""` is the walk that they come from, `".0"`
 * one of these. What a walk builds upon is sealed before it acts, so its own rows go with its next
 * write, and those of the walks around it, and of those that it had beside it, before that.
 */
export function createUnsealed(seal: (rows: readonly StepRow[]) => Promise<void>) {
  const lanes = new Map<string, StepRow[]>();
  /** Characters of the lanes' outputs. */
  const sizes = new Map<string, number>();
  let sealing: Promise<void> = Promise.resolve();

  /** One after the other: another walk may be sealing what this one builds upon. */
  function sealLanes(wanted: (lane: string) => boolean): Promise<void> {
    sealing = sealing.then(() => sealNow(wanted));
    return sealing;
  }

  async function sealNow(wanted: (lane: string) => boolean): Promise<void> {
    const taken = [...lanes].filter(([lane]) => wanted(lane));
    const rows = taken.flatMap(([, own]) => own);
    if (rows.length === 0) return;
    await seal(rows);
    // What could not be sealed stays known as unsealed.
    for (const [lane, own] of taken) drop(lane, own);
  }

  function drop(lane: string, rows: readonly StepRow[]): void {
    const left = (lanes.get(lane) ?? []).filter((row) => !rows.includes(row));
    lanes.set(lane, left);
    if (left.length === 0) sizes.delete(lane);
  }

  function isMuch(lane: string): boolean {
    return (lanes.get(lane)?.length ?? 0) >= most.rows || (sizes.get(lane) ?? 0) >= most.characters;
  }

  return {
    add(lane: string, row: StepRow): void {
      lanes.set(lane, [...(lanes.get(lane) ?? []), row]);
      sizes.set(lane, (sizes.get(lane) ?? 0) + (row.output === null ? 0 : JSON.stringify(row.output).length));
    },
    /** Rows that ride with a write of this walk; `sealed` says that it is committed. */
    ridersOf(lane: string): { readonly rows: readonly StepRow[]; sealed(): void } {
      const rows = lanes.get(lane) ?? [];
      return { rows, sealed: () => drop(lane, rows) };
    },
    /** Seals what other walks have left that a step of this one may build upon, and what is much of its own. */
    sealAround: (lane: string) =>
      sealLanes((other) =>
        other === lane ? isMuch(lane) : lane.startsWith(`${other}.`) || other.startsWith(`${lane}.`),
      ),
    sealAll: () => sealLanes(() => true),
    find: (path: string): StepRow | undefined => [...lanes.values()].flat().find((row) => row.path === path),
    clear: () => lanes.clear(),
    all: (): StepRow[] => [...lanes.values()].flat(),
  };
}
