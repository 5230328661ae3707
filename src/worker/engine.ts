import type { Worker, WorkerOptions } from "@temporalio/worker";
import { createActivities } from "../activities/activities.ts";
import type { StepKinds } from "../activities/step-kind.ts";
import { loadVersion, type LoadedVersion } from "../catalog/versions.ts";
import type { Config } from "../config.ts";
import type { Log } from "../log.ts";
import { createDispatcher, type Dispatcher } from "../runs/dispatcher.ts";
import { createReconciler } from "../runs/reconciler.ts";
import type { SqlPool } from "../sql.ts";
import type { Vault } from "../vault/vault.ts";
import { createLauncherKeeper } from "./launchers.ts";
import { createScheduleLoops } from "./schedules.ts";
import {
  createStarter,
  createWitness,
  missingSearchAttributes,
  searchAttributeNames,
  type TemporalLink,
} from "./temporal.ts";
import { createWorkers } from "./workers.ts";

/** What runs the runs in one process: Temporal workers, dispatcher, reconciler. */
export interface Engine {
  /** Says that runs may be ready, or cancels asked for. */
  ring(): void;
  /** Says that triggers may have changed, or that something is asked of a schedule. */
  ringTriggers(): void;
  /** Rejects when a worker cannot go on. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

export async function startEngine(parts: {
  pool: SqlPool;
  config: Config;
  link: TemporalLink;
  kinds: StepKinds;
  vault: Vault;
  /** Id of the installation: the prefix of its task queues. */
  installation: string;
  owner: string;
  /** Called after a step's change of records was committed. */
  recordsChanged?: () => void;
  log: Log;
  bundlePath?: string;
  overrides?: Partial<WorkerOptions>;
}): Promise<Engine> {
  const { pool, config, link, kinds, vault, installation, owner, log } = parts;
  let dispatcher: Dispatcher | undefined;
  const load = (versionId: string): Promise<LoadedVersion> => loadVersion(pool, versionId, { kinds });
  const activities = createActivities({
    pool,
    kinds,
    vault,
    log,
    loadVersion: load,
    slotFreed: () => dispatcher?.ring(),
    recordsChanged: () => parts.recordsChanged?.(),
  });
  const workers = await createWorkers({
    link,
    config,
    queuePrefix: installation,
    activities,
    runBegun: (runId) => dispatcher?.begun(runId),
    ...(parts.bundlePath === undefined ? {} : { bundlePath: parts.bundlePath }),
    ...(parts.overrides === undefined ? {} : { overrides: parts.overrides }),
  });
  const running = workers.map((worker) => worker.run());
  const searchAttributes = await registeredAttributes(link, log);
  const starter = createStarter({ link, queuePrefix: installation, searchAttributes, loadVersion: load });
  const reconciler = createReconciler({ pool, witness: createWitness(link), log });
  dispatcher = createDispatcher({ pool, starter, owner, log, onCancels: () => reconciler.ring() });
  const schedules = createScheduleLoops({ pool, kinds, link, installation, log, enqueued: () => dispatcher?.ring() });
  const launchers = createLauncherKeeper({ pool, link, queuePrefix: installation, searchAttributes, log });
  dispatcher.start();
  reconciler.start();
  schedules.start();
  launchers.start();

  return {
    ring() {
      dispatcher?.ring();
      reconciler.ring();
    },
    ringTriggers() {
      schedules.ring();
      launchers.ring();
    },
    failed: Promise.race(running).then(() => new Promise<never>(() => {})),
    async stop() {
      await launchers.stop();
      await schedules.stop();
      await dispatcher?.stop();
      await reconciler.stop();
      await shutdown(workers, running);
    },
  };
}

async function shutdown(workers: readonly Worker[], running: ReadonlyArray<Promise<void>>): Promise<void> {
  for (const worker of workers) if (worker.getState() === "RUNNING") worker.shutdown();
  await Promise.allSettled(running);
}

async function registeredAttributes(link: TemporalLink, log: Log): Promise<string[]> {
  const missing = await missingSearchAttributes(link).catch(() => [...searchAttributeNames]);
  if (missing.length > 0) {
    const flags = missing.map((name) => `--name ${name} --type Keyword`).join(" ");
    log.warn(
      `Runs go on without these search attributes; to have them: temporal operator search-attribute create --namespace ${link.namespace} ${flags}`,
    );
  }
  return searchAttributeNames.filter((name) => !missing.includes(name));
}
