import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { deliveryOutcomes, type DeliveryOutcome } from "../runs/delivery-log.ts";
import { readBacklog, readStatus } from "../runs/status.ts";
import type { SqlPool } from "../sql.ts";
import { createQueueGauges } from "./queue-gauges.ts";

/** What this gateway counts, and how Prometheus reads it. */
export interface Metrics {
  /** One webhook request that was answered. */
  countDelivery(outcome: DeliveryOutcome, seconds: number): void;
  /** The exposition format, with the backlog as Postgres has it now. */
  expose(): Promise<{ contentType: string; text: string }>;
}

/** Metrics of one gateway; the registry is its own, so that several can live in a process. */
export function createMetrics(pool: SqlPool): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const deliveries = new Counter({
    name: "tandem_deliveries_total",
    help: "Webhook requests by outcome",
    labelNames: ["outcome"],
    registers,
  });
  const seconds = new Histogram({
    name: "tandem_delivery_seconds",
    help: "Time from a webhook request to its answer",
    labelNames: ["outcome"],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  const gauges = createBacklogGauges(registry);
  for (const outcome of deliveryOutcomes) deliveries.inc({ outcome }, 0);
  return {
    countDelivery(outcome, took) {
      deliveries.inc({ outcome });
      seconds.observe({ outcome }, took);
    },
    async expose() {
      await gauges.update(pool);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

function createBacklogGauges(registry: Registry): { update(pool: SqlPool): Promise<void> } {
  const registers = [registry];
  const up = new Gauge({ name: "tandem_postgres_up", help: "Whether Postgres answers this gateway", registers });
  const runs = new Gauge({ name: "tandem_runs", help: "Open runs by status", labelNames: ["status"], registers });
  const outbox = new Gauge({
    name: "tandem_outbox_events",
    help: "Record events that no relay has read yet",
    registers,
  });
  const age = new Gauge({
    name: "tandem_outbox_age_seconds",
    help: "How long the oldest unread record event waits",
    registers,
  });
  const workers = new Gauge({ name: "tandem_workers", help: "Workers seen within the last ten seconds", registers });
  const queues = createQueueGauges(registry);
  return {
    async update(pool) {
      try {
        const [backlog, status] = await Promise.all([readBacklog(pool), readStatus(pool), queues.update(pool)]);
        for (const name of ["queued", "starting", "running", "waiting"])
          runs.set({ status: name }, backlog.runs.get(name) ?? 0);
        outbox.set(backlog.outbox);
        age.set(backlog.outboxAgeSeconds);
        workers.set(status.workers.length);
        up.set(1);
      } catch {
        // The gateway's own figures are worth reading all the more when Postgres is away.
        up.set(0);
      }
    },
  };
}
