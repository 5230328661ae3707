import { Gauge, type Registry } from "prom-client";
import { readPressure } from "../runs/queues.ts";
import type { Sql } from "../sql.ts";

/** What waits for slots and who holds them, over all workspaces: as many series however many there are. */
export function createQueueGauges(registry: Registry): { update(sql: Sql): Promise<void> } {
  const registers = [registry];
  const runs = new Gauge({
    name: "tandem_queue_runs",
    help: "Runs that were not started yet: ready for a slot, blocked by their concurrency key, or of a paused workflow",
    labelNames: ["state"],
    registers,
  });
  const oldest = new Gauge({
    name: "tandem_queue_oldest_wait_seconds",
    help: "How long the oldest of them waits",
    labelNames: ["state"],
    registers,
  });
  const held = new Gauge({ name: "tandem_slots_held", help: "Runs at work", registers });
  const paused = new Gauge({ name: "tandem_workflows_paused", help: "Paused workflows", registers });
  const full = new Gauge({
    name: "tandem_workspaces_full",
    help: "Workspaces that hold as many slots as their limit",
    registers,
  });
  return {
    async update(sql) {
      const pressure = await readPressure(sql);
      for (const state of ["ready", "blocked", "paused"] as const) {
        runs.set({ state }, pressure[state].runs);
        oldest.set({ state }, pressure[state].oldestSeconds);
      }
      held.set(pressure.held);
      paused.set(pressure.pausedWorkflows);
      full.set(pressure.fullWorkspaces);
    },
  };
}
