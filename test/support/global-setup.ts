import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import type { TestProject } from "vitest/node";
import { migrate } from "../../src/migrations.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { startPostgres, stopPostgres, type Postgres } from "../../src/supervisor/postgres.ts";
import { getTemporalBinary } from "../../src/supervisor/temporal-binary.ts";
import { startTemporal, stopTemporal, type TemporalServer } from "../../src/supervisor/temporal.ts";
import { endStrays } from "./strays.ts";
import { templateDatabase } from "./template.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** postgres:// address of the server's own database, without a database's name. */
    readonly postgresUrl: string;
    readonly temporalAddress: string;
    /** Its Web UI. */
    readonly temporalUi: string;
    /** The binary that it runs by, which is the command line too. */
    readonly temporalCli: string;
    /** What kept Temporal from starting; empty when it runs. */
    readonly temporalFailure: string;
  }
}

/** Brings one Postgres and one Temporal for the whole run, in a folder that is deleted after it. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), "tandem-test-"));
  // Whatever tests put into temporary folders lies in here, and goes with it.
  process.env["TMPDIR"] = directory;
  // Ctrl-C ends the runner without a teardown, and without its workers.
  process.once("exit", () => {
    endStrays(directory);
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const temporal = bringTemporal(directory);
  const postgres = await bringPostgres(directory);
  const outcome = await temporal;
  project.provide("postgresUrl", postgres.url.replace(/\/tandem$/, ""));
  project.provide("temporalAddress", "address" in outcome ? outcome.address : "");
  project.provide("temporalUi", "address" in outcome ? outcome.ui : "");
  project.provide("temporalCli", "address" in outcome ? outcome.cli : "");
  project.provide("temporalFailure", "failure" in outcome ? outcome.failure : "");
  return async () => {
    await Promise.all([stopPostgres(postgres), "address" in outcome ? stopTemporal(outcome) : undefined]);
    await rm(directory, { recursive: true, force: true });
  };
}

async function bringPostgres(directory: string): Promise<Postgres> {
  const postgres = await startPostgres({
    directory: join(directory, "postgres"),
    port: await chooseFreePort(),
    // Nothing here outlives the run: no test needs a power failure survived, only kills.
    settings: { fsync: "off", max_connections: 400 },
  });
  const database = new URL(`/${templateDatabase}`, postgres.url).href;
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await client.query(`create database ${templateDatabase}`);
  await client.end();
  await migrate(database);
  return postgres;
}

/** A failure is told to the tests that need Temporal; the others do not. */
async function bringTemporal(
  directory: string,
): Promise<(TemporalServer & { ui: string; cli: string }) | { failure: string }> {
  const say = (sentence: string) => process.stderr.write(`${sentence}\n`);
  try {
    const port = await chooseFreePort();
    const uiPort = await chooseFreePort([port]);
    const binary = await getTemporalBinary({ environment: process.env, say });
    const where = { directory: join(directory, "temporal"), port, uiPort, namespace: "default" };
    const server = await startTemporal({ binary, ...where, say });
    return { ...server, ui: `http://127.0.0.1:${uiPort}`, cli: binary.path };
  } catch (error) {
    return { failure: String(error) };
  }
}
