import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Connection } from "@temporalio/client";
import { msToTs } from "@temporalio/common/lib/time.js";
import { describeExit, startProgram, type Program, type Watch } from "./program.ts";
import type { Say } from "./progress.ts";
import type { TemporalBinary } from "./temporal-binary.ts";

/** A Temporal dev server that runs and knows our namespace. */
export interface TemporalServer extends Program {
  /** host:port of its frontend. */
  readonly address: string;
}

export interface TemporalOptions {
  readonly binary: TemporalBinary;
  /** Where its file lies; made at the first start. */
  readonly directory: string;
  readonly port: number;
  readonly uiPort: number;
  readonly namespace: string;
  readonly say: Say;
  readonly watch?: Watch;
}

/** By what runs are found in the Web UI (DESIGN.md §5). */
const searchAttributes = ["TandemWorkspace", "TandemWorkflow", "TandemTrigger", "TandemRecord"];

/** How long closed workflows stay readable in the Web UI. */
const retentionDays = 7;

/**
 * The default of 20 polls per second on the single shard costs 45 ms at every hop of a run;
 * fairness is what `priority.fairnessKey` needs.
 */
const dynamicConfig = [
  "history.transferProcessorMaxPollRPS=5000",
  "history.timerProcessorMaxPollRPS=5000",
  "matching.enableFairness=true",
];

/**
 * Starts a dev server on the file in `directory` and waits until its namespace answers. A file of
 * another server release, or one that this release cannot open, is set aside: every run is in
 * Postgres, and starts again from there.
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  await mkdir(options.directory, { recursive: true });
  await setAsideOtherRelease(options);
  try {
    return await startServer(options);
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) throw error;
    options.say(`Temporal could not open its file: ${error.message}`);
    await setAside(options, "unreadable");
    return startServer(options);
  }
}

/** Ends the server; what it knows is in its file. */
export async function stopTemporal(program: Program): Promise<void> {
  await program.stop("SIGINT", 10_000);
}

/** The server ended by itself because of what its file holds. */
class UnreadableFileError extends Error {}

const unreadable = /file is not a database|malformed|SQL logic error|no such (table|column)/;

async function startServer(options: TemporalOptions): Promise<TemporalServer> {
  const program = await startProgram({
    name: "Temporal",
    watch: options.watch ?? {},
    command: options.binary.path,
    args: serverArguments(options),
    environment: { PATH: process.env["PATH"], HOME: process.env["HOME"], TZ: "UTC" },
  });
  const address = `127.0.0.1:${options.port}`;
  const ended = program.exited.then((exit) => {
    const message = `it ended with ${describeExit(exit)}: ${exit.lastOutput.trim().split("\n").at(-1) ?? ""}`;
    // Ended by a signal, or for want of its port: the file is not to blame.
    const blamesFile = exit.signal === null && exit.code !== 0 && unreadable.test(exit.lastOutput);
    throw blamesFile ? new UnreadableFileError(message) : new Error(`Temporal did not start: ${message}`);
  });
  try {
    await Promise.race([ended, waitForNamespace({ address, namespace: options.namespace, untilEnd: program.exited })]);
  } catch (error) {
    await stopTemporal(program);
    throw error;
  }
  ended.catch(() => {});
  return { ...program, address };
}

function serverArguments(options: TemporalOptions): string[] {
  const where = ["--ip", "127.0.0.1", "--port", String(options.port), "--ui-port", String(options.uiPort)];
  const storage = ["--db-filename", databaseFile(options), "--namespace", options.namespace];
  const pragmas = ["journal_mode=wal", "synchronous=normal"].flatMap((pragma) => ["--sqlite-pragma", pragma]);
  const attributes = searchAttributes.flatMap((name) => ["--search-attribute", `${name}=Keyword`]);
  const settings = dynamicConfig.flatMap((setting) => ["--dynamic-config-value", setting]);
  const command = ["server", "start-dev", "--log-level", "error"];
  return [...command, ...where, ...storage, ...pragmas, ...attributes, ...settings];
}

async function waitForNamespace(options: {
  address: string;
  namespace: string;
  untilEnd: Promise<unknown>;
}): Promise<void> {
  let over = false;
  void options.untilEnd.then(() => (over = true));
  while (!over) {
    const connection = await Connection.connect({ address: options.address, connectTimeout: 2_000 }).catch(
      () => undefined,
    );
    if (connection === undefined) {
      await delay(50);
      continue;
    }
    try {
      if (await prepareNamespace(connection, options.namespace)) return;
    } catch {
      // It listens before it knows its namespaces.
    } finally {
      await connection.close();
    }
    await delay(50);
  }
}

/** False while the search attributes are not there yet. */
async function prepareNamespace(connection: Connection, namespace: string): Promise<boolean> {
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(retentionDays * 86_400_000) },
  });
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  return searchAttributes.every((name) => customAttributes[name] !== undefined);
}

function databaseFile(options: TemporalOptions): string {
  return join(options.directory, "temporal.db");
}

/** The release is written before the first start, so that a file always has one beside it. */
async function setAsideOtherRelease(options: TemporalOptions): Promise<void> {
  const stamp = join(options.directory, "server-release");
  const release = (await readFile(stamp, "utf8").catch(() => "")).trim();
  if (release === options.binary.release) return;
  if (existsSync(databaseFile(options))) await setAside(options, release === "" ? "unknown-release" : release);
  await writeFile(`${stamp}.new`, options.binary.release);
  await rename(`${stamp}.new`, stamp);
}

async function setAside(options: TemporalOptions, label: string): Promise<void> {
  const file = databaseFile(options);
  const aside = `${file}.${label}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  // Its journals first: a kill in between must not pair them with a new file.
  for (const suffix of ["-wal", "-shm", ""]) {
    if (existsSync(file + suffix)) await rename(file + suffix, aside + suffix);
  }
  const whose = /^\d/.test(label)
    ? `made by server ${label}`
    : label === "unreadable"
      ? "unreadable"
      : "of an unknown server release";
  options.say(
    `Temporal's file was ${whose}; this is server ${options.binary.release}. It was set aside as ${aside}, and a new one is made. Open runs start again from the database, nothing is lost.`,
  );
}
