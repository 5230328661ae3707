import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { environmentKeys, projectRoot } from "../src/config.ts";
import { chooseFreePort } from "../src/supervisor/ports.ts";
import { createClient, parseJson, type Answer, type Sending } from "./http.ts";

/** Parts of a running instance, by the names that the supervisor records them under. */
export const partNames = ["gateway", "worker", "Temporal", "Postgres"] as const;
export type PartName = (typeof partNames)[number];

/** A whole instance of its own, started as `npm start` does, and used from outside. */
export interface Product {
  /** Asks the API with the instance's key. Rejects when the gateway cannot be reached. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Sends what is no JSON, what takes minutes, or what needs another key than the instance's. */
  send(sending: Sending): Promise<Answer>;
  /** Posts without a key, as a web form does. */
  post(path: string, body: string): Promise<Answer>;
  /** The process that was last started as this part; it may be gone already. */
  pid(part: PartName): Promise<number | undefined>;
  /** How long it took from the command until all of it was up. */
  readonly upSeconds: number;
}

const processes = z.array(z.object({ name: z.string(), pid: z.number() }));

/** Gives `work` an instance in a temporary folder, and ends it afterwards. */
export async function withProduct<T>(
  environment: Readonly<Record<string, string>>,
  work: (product: Product) => Promise<T>,
): Promise<T> {
  return withFolder((directory) => runProduct(directory, environment, work));
}

/** Gives `work` a temporary folder, for an instance that is started more than once. */
export async function withFolder<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "tandem-bench-"));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/**
 * Gives `work` an instance that lives in a folder, and ends it afterwards, also when this program is told
 * to end.
 */
export async function runProduct<T>(
  directory: string,
  environment: Readonly<Record<string, string>>,
  work: (product: Product) => Promise<T>,
): Promise<T> {
  const port = await chooseFreePort();
  const begun = performance.now();
  const child = spawn(process.execPath, [join(projectRoot, "dist/src/supervisor/main.js")], {
    cwd: projectRoot,
    env: { ...ownEnvironment(), LOG_LEVEL: "warn", ...environment, PORT: String(port), DATA_DIR: directory },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => reject(new Error(`Ended by ${signal}.`)));
  });
  try {
    const using = untilUp(child).then(() =>
      use({ directory, port, upSeconds: (performance.now() - begun) / 1_000 }, work),
    );
    return await Promise.race([interrupted, using]);
  } finally {
    child.kill("SIGTERM");
    await ended;
  }
}

/** Nothing that is configured here: an instance that is measured must not write to somebody's database. */
function ownEnvironment(): NodeJS.ProcessEnv {
  const configured = new Set(environmentKeys.map(({ name }) => name));
  const kept = ([name]: readonly [string, unknown]): boolean =>
    name === "TEMPORAL_CLI_PATH" || !(configured.has(name) || name.startsWith("TEMPORAL_"));
  return Object.fromEntries(Object.entries(process.env).filter(kept));
}

async function use<T>(
  { directory, port, upSeconds }: { directory: string; port: number; upSeconds: number },
  work: (product: Product) => Promise<T>,
): Promise<T> {
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  const client = createClient(port);
  const authorization = `Bearer ${key}`;
  try {
    return await work({
      call: (method, path, body) =>
        client.send({ method, path, authorization, body: body === undefined ? undefined : JSON.stringify(body) }),
      upSeconds,
      send: (sending) => client.send({ authorization, ...sending }),
      post: (path, body) => client.send({ method: "POST", path, body }),
      async pid(part) {
        const recorded = await readFile(join(directory, "processes.json"), "utf8").catch(() => "");
        return processes.safeParse(parseJson(recorded)).data?.findLast(({ name }) => name === part)?.pid;
      },
    });
  } finally {
    client.close();
  }
}

async function untilUp(child: ChildProcess): Promise<void> {
  let said = "";
  await new Promise<void>((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-4_000);
        if (said.includes("Tandem is up.")) resolve();
      });
    }
    child.once("close", (code) =>
      reject(new Error(`The instance ended with ${code} before it was up:\n${said.slice(-2_000)}`)),
    );
  });
}

/** Asks, seldom enough not to be the load, until the answer is true; throws after `limitMs`, with what was waited for. */
export async function until(what: string, ask: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  let last: unknown = "not so yet";
  while (!(await ask().catch((error: unknown) => ((last = error), false)))) {
    if (Date.now() > end) throw new Error(`Waited ${limitMs / 1_000} s for ${what} (${String(last)}).`);
    await sleep(200);
  }
}
