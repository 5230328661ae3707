import { existsSync } from "node:fs";
import { join } from "node:path";
import { Worker, type InjectedSinks, type WorkerOptions } from "@temporalio/worker";
import type { Activities, RunSinks } from "../activities/contract.ts";
import { projectRoot, type Config } from "../config.ts";
import type { QueueName } from "../definition/plan.ts";
import type { TemporalLink } from "./temporal.ts";

/** Where `npm run build` puts the bundled workflows. */
const builtBundle = join(projectRoot, "dist", "workflow-bundle.js");

/**
 * The workers of one process, one for each queue: `<prefix>-runs` (workflow tasks, blocks of quick
 * steps, record steps), `-http`, `-code` and `-email`. `bundle` is for tests, which build one for all.
 */
export async function createWorkers(parts: {
  link: TemporalLink;
  config: Config;
  queuePrefix: string;
  activities: Activities;
  /** Called when a worker of this process has taken up a run. */
  runBegun(runId: string): void;
  bundlePath?: string;
  overrides?: Partial<WorkerOptions>;
}): Promise<Worker[]> {
  const { link, config, queuePrefix, activities } = parts;
  const codePath = parts.bundlePath ?? builtBundle;
  if (!existsSync(codePath)) throw new Error(`The workflow bundle ${codePath} is missing. Run npm run build.`);
  const common: Omit<WorkerOptions, "taskQueue"> = {
    connection: link.connection,
    namespace: link.namespace,
    activities,
    sinks: {
      runs: { begun: { fn: ({ workflowId }) => parts.runBegun(workflowId) } },
    } satisfies InjectedSinks<RunSinks>,
    shutdownGraceTime: "3s",
    shutdownForceTime: "8s",
    maxHeartbeatThrottleInterval: "1s",
    defaultHeartbeatThrottleInterval: "1s",
    ...parts.overrides,
  };
  return Promise.all([
    Worker.create({
      ...common,
      taskQueue: `${queuePrefix}-runs`,
      workflowBundle: { codePath },
      maxConcurrentActivityTaskExecutions: config.WORKER_RUNS_CONCURRENCY,
      maxConcurrentLocalActivityExecutions: config.WORKER_RUNS_CONCURRENCY,
      // Runs are short and start often: most polls ask for new ones.
      nonStickyToStickyPollRatio: 0.5,
      stickyQueueScheduleToStartTimeout: "3s",
    }),
    ...Object.entries(concurrencies(config)).map(([queue, most]) =>
      Worker.create({ ...common, taskQueue: `${queuePrefix}-${queue}`, maxConcurrentActivityTaskExecutions: most }),
    ),
  ]);
}

/** How many steps of each queue that is for activities only are done at once. */
function concurrencies(config: Config): Record<Exclude<QueueName, "runs">, number> {
  return {
    http: config.WORKER_HTTP_CONCURRENCY,
    code: config.WORKER_CODE_CONCURRENCY,
    email: config.WORKER_EMAIL_CONCURRENCY,
  };
}
