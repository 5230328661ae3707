import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { z } from "zod";
import { endProcess } from "./end-process.ts";
import { findIdentity } from "./identity.ts";
import type { Say } from "./progress.ts";

const recordsSchema = z.array(z.object({ name: z.string(), pid: z.number().int(), identity: z.string() }));
type Record = z.output<typeof recordsSchema>[number];

/** Which processes were started, kept in a file, so that the next start finds what a killed one left. */
export interface ProcessRecords {
  /** Records a process; at once, so that no kill falls between its start and its record. */
  add(name: string, pid: number): void;
}

/** Starts a new record in `file`. What stood there must have been ended before. */
export function createProcessRecords(file: string): ProcessRecords {
  let records: Record[] = [];
  write(file, records);
  return {
    add(name, pid) {
      records = records.filter((record) => findIdentity(record.pid) === record.identity);
      records.push({ name, pid, identity: findIdentity(pid) ?? "" });
      write(file, records);
    },
  };
}

/** Ends what an earlier start, which was killed, left running. */
export async function endLeftovers(file: string, say: Say): Promise<void> {
  const left = read(file).filter(({ pid, identity }) => findIdentity(pid) === identity);
  if (left.length === 0) return;
  say(`Ending what an earlier start left running: ${left.map(({ name }) => name).join(", ")}.`);
  for (const record of left.toReversed()) {
    await endProcess(record, { signal: record.name === "Postgres" ? "SIGINT" : "SIGTERM", graceMs: 5_000 });
  }
}

function read(file: string): Record[] {
  try {
    return recordsSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch {
    // There is none yet: it is written whole, by rename.
    return [];
  }
}

function write(file: string, records: readonly Record[]): void {
  writeFileSync(`${file}.new`, JSON.stringify(records));
  renameSync(`${file}.new`, file);
}
