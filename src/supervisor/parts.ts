import { join } from "node:path";
import { z } from "zod";
import { projectRoot, type Config } from "../config.ts";
import { keepRunning, type Part } from "./part.ts";
import { createPartLog, type PartLog } from "./part-log.ts";
import { postgresStopMs, startPostgres, type Postgres } from "./postgres.ts";
import { startProgram, describeExit, type Program } from "./program.ts";
import { withProgress, type Say } from "./progress.ts";
import type { ProcessRecords } from "./records.ts";
import type { Ports } from "./state.ts";
import { getTemporalBinary } from "./temporal-binary.ts";
import { startTemporal, type TemporalServer } from "./temporal.ts";
import { waitForGateway } from "./readiness.ts";

/** What every part is started with. */
export interface House {
  readonly config: Config;
  readonly environment: NodeJS.ProcessEnv;
  /** DATA_DIR as an absolute path. */
  readonly directory: string;
  readonly ports: Ports;
  readonly records: ProcessRecords;
  readonly say: Say;
}

/** Postgres on <DATA_DIR>/postgres. */
export function keepPostgres(house: House): Part<Postgres> {
  const log = openLog(house, "postgres");
  return keepRunning({
    name: "Postgres",
    // Fast shutdown: open sessions are ended, a checkpoint is written.
    signal: "SIGINT",
    graceMs: postgresStopMs,
    say: house.say,
    start: (onStart) =>
      withProgress(house.say, "Starting Postgres", () =>
        startPostgres({
          directory: join(house.directory, "postgres"),
          port: house.ports.postgres,
          watch: { onOutput: log.write, onStart: record(house, "Postgres", onStart) },
        }),
      ),
  });
}

/** Temporal's dev server on <DATA_DIR>/temporal, its binary found or brought. */
export function keepTemporal(house: House): Part<TemporalServer> {
  const log = openLog(house, "temporal");
  return keepRunning({
    name: "Temporal",
    signal: "SIGTERM",
    graceMs: 5_000,
    say: house.say,
    start: async (onStart) => {
      const watch = { onOutput: log.write, onStart: record(house, "Temporal", onStart) };
      const { environment, say, ports, config } = house;
      const binary = await getTemporalBinary({ environment, say, watch });
      return withProgress(say, "Starting Temporal", () =>
        startTemporal({
          binary,
          directory: join(house.directory, "temporal"),
          port: ports.temporal,
          uiPort: ports.temporalUi,
          namespace: config.TEMPORAL_NAMESPACE,
          say,
          watch,
        }),
      );
    },
  });
}

/** The gateway; up when its `/ready` answers 200. */
export function keepGateway(house: House): Part {
  return keepOwn(house, { name: "gateway", entry: "api/main.js", graceMs: 6_000, wait: waitForGateway });
}

/** The worker; up when it says so: it polls Temporal then. */
export function keepWorker(house: House): Part {
  return keepOwn(house, { name: "worker", entry: "worker/main.js", graceMs: 10_000, wait: ({ ready }) => ready });
}

/** The line that the migration prints last. */
const migrated = z.object({ apiKeyCreated: z.boolean() });

/**
 * Brings the database up to date and installs what the first start installs, then ends. Throws an
 * Error with what it said when it fails.
 */
export async function migrateDatabase(house: House): Promise<z.output<typeof migrated>> {
  const log = openLog(house, "migrate");
  const program = await startProgram({
    ...own(house, "api/migrate-main.js"),
    name: "migrate",
    watch: { onOutput: log.write, onStart: record(house, "migrate", () => {}) },
  });
  const exit = await withProgress(house.say, "Bringing the database up to date", () => program.exited);
  if (exit.code === 0) return migrated.parse(JSON.parse(exit.lastOutput.trim().split("\n").at(-1) ?? ""));
  throw new Error(
    `The database could not be brought up to date (${describeExit(exit)}): ${lastSentence(exit.lastOutput)}`,
  );
}

interface OwnProgram {
  readonly name: string;
  /** Under dist/src. */
  readonly entry: string;
  readonly graceMs: number;
  readonly wait: (program: Program, config: Config) => Promise<void>;
}

function keepOwn(house: House, { name, entry, graceMs, wait }: OwnProgram): Part {
  const log = openLog(house, name);
  return keepRunning({
    name: `The ${name}`,
    signal: "SIGTERM",
    graceMs,
    say: house.say,
    start: async (onStart) => {
      const program = await startProgram({
        ...own(house, entry),
        name,
        channel: "ipc",
        watch: { onOutput: log.write, onStart: record(house, name, onStart) },
      });
      await withProgress(house.say, `Starting the ${name}`, () => untilUp(program, wait(program, house.config)));
      return program;
    },
  });
}

async function untilUp(program: Program, up: Promise<void>): Promise<void> {
  const died = program.exited.then((exit) => {
    throw new Error(`it ended with ${describeExit(exit)}: ${lastSentence(exit.lastOutput)}`);
  });
  await Promise.race([up, died]);
  died.catch(() => {});
}

function own(house: House, entry: string) {
  return {
    command: process.execPath,
    args: ["--enable-source-maps", join(projectRoot, "dist", "src", entry)],
    environment: house.environment,
    directory: projectRoot,
  };
}

function record(house: House, name: string, onStart: (pid: number) => void): (pid: number) => void {
  return (pid) => {
    house.records.add(name, pid);
    onStart(pid);
  };
}

function openLog(house: House, name: string): PartLog {
  return createPartLog({ directory: join(house.directory, "logs"), name, say: house.say });
}

/** What a program said last: the message of a structured line, or the line, or an error's first line. */
function lastSentence(output: string): string {
  const lines = output.trim().split("\n");
  const thrown = lines.find((line) => /^(\w*Error|Error): /.test(line));
  const line = thrown ?? lines.at(-1) ?? "";
  return /"msg":"((?:[^"\\]|\\.)*)"/.exec(line)?.[1]?.replaceAll('\\"', '"') ?? line;
}
