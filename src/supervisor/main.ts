// What `npm start` runs: brings Postgres, Temporal, the gateway and the worker, and keeps them running
// until it is told to stop.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { dataDirectory, readConfig, type Config } from "../config.ts";
import { createParts, startHouse, type Parts } from "./house.ts";
import { acquireLock, type Lock } from "./lock.ts";
import { refuseUsedPort } from "./ports.ts";
import { createProcessRecords, endLeftovers } from "./records.ts";
import { openState, writeState } from "./state.ts";
import { welcome } from "./welcome.ts";

const say = (sentence: string) => console.log(sentence);
// The terminal that started us may be gone; what it was told does not matter then.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const parts = createParts();
let lock: Lock | undefined;
let ending: Promise<void> | undefined;

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void stop(0));
process.on("SIGUSR2", () => void parts.restartOwn());
process.on("unhandledRejection", (reason) => void fail(reason));

try {
  await run(readConfig(), parts);
} catch (error) {
  await fail(error);
}

async function run(config: Config, begun: Parts): Promise<void> {
  const directory = dataDirectory(config);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  lock = await takeLock(directory);
  const recordsFile = join(directory, "processes.json");
  await endLeftovers(recordsFile, say);
  await refuseUsedPort(config);
  const state = await openState(directory, say);
  const records = createProcessRecords(recordsFile);
  const house = { config, environment: process.env, directory, ports: state.ports, records, say };
  const { temporalUiUrl, apiKeyCreated } = await startHouse(house, begun);
  const key = apiKeyCreated || !state.keyShown ? "show" : "name its file";
  await welcome({ config, directory, temporalUiUrl, key, say });
  await writeState(directory, { ...state, keyShown: true });
}

async function takeLock(directory: string): Promise<Lock> {
  const taken = await acquireLock(join(directory, "lock"));
  if (!("heldBy" in taken)) return taken;
  throw new Error(
    `Tandem runs already on ${directory} (process ${taken.heldBy}). Stop it, or give this one another PORT and DATA_DIR.`,
  );
}

async function fail(reason: unknown): Promise<void> {
  // What fails because everything is being stopped is no news.
  if (ending !== undefined) return;
  console.error(reason instanceof Error ? reason.message : String(reason));
  await stop(1);
}

/** Stops all parts in reverse order, gives the lock back and ends. */
async function stop(code: number): Promise<void> {
  // One Ctrl-C may arrive twice: from the terminal, and passed on by npm. Every part has its limit, so
  // asking again never needs to cut this short.
  if (ending !== undefined) return ending;
  if (code === 0) say("Stopping Tandem.");
  ending = parts
    .stop()
    .then(() => lock?.release())
    .then(
      () => process.exit(code),
      (error: unknown) => {
        console.error(`Stopping failed: ${String(error)}`);
        process.exit(1);
      },
    );
  return ending;
}
