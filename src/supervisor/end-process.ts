import { setTimeout as delay } from "node:timers/promises";
import { findIdentity } from "./identity.ts";
import { killGroup } from "./program.ts";

/** How a process is asked to end, and how long it may take before its group is ended by force. */
export interface Ending {
  readonly signal: NodeJS.Signals;
  readonly graceMs: number;
}

/** Ends a process and waits until it is gone. Does nothing when it is gone, or its pid is another's by now. */
export async function endProcess(
  { pid, identity }: { pid: number; identity: string | undefined },
  { signal, graceMs }: Ending,
): Promise<void> {
  if (identity === undefined) return;
  const isThere = () => findIdentity(pid) === identity;
  if (isThere()) sendSignal(pid, signal);
  const end = Date.now() + graceMs;
  while (isThere() && Date.now() < end) await delay(20);
  if (!isThere()) return;
  killGroup(pid);
  while (isThere()) await delay(20);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended in this very moment.
  }
}
