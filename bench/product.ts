import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { projectRoot } from "../src/config.ts";

/** Parts of a running instance, by the names that the supervisor records them under. */
export const partNames = ["gateway", "worker", "Temporal", "Postgres"] as const;
export type PartName = (typeof partNames)[number];

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** A whole instance of its own, started as `npm start` does, and used from outside. */
export interface Product {
  readonly base: string;
  /** Asks the API with the instance's key. Rejects when the gateway cannot be reached. */
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Posts without a key, as a web form does. */
  post(path: string, body: string): Promise<Answer>;
  /** The process that now plays this part, if it runs. */
  pid(part: PartName): Promise<number | undefined>;
  stop(): Promise<void>;
}

const processes = z.array(z.object({ name: z.string(), pid: z.number() }));

/** Starts an instance in a temporary data directory and waits until everything is up. */
export async function startProduct(environment: Readonly<Record<string, string>> = {}): Promise<Product> {
  const directory = await mkdtemp(join(tmpdir(), "tandem-bench-"));
  const port = await freePort();
  const child = spawn(process.execPath, [join(projectRoot, "dist/src/supervisor/main.js")], {
    cwd: projectRoot,
    env: { ...process.env, PORT: String(port), DATA_DIR: directory, LOG_LEVEL: "warn", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  await untilUp(child);
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const send = (method: string, path: string, body?: string, authorization?: string): Promise<Answer> =>
    exchange({ agent, port, method, path, body, authorization });
  return {
    base: `http://127.0.0.1:${port}`,
    call: (method, path, body) =>
      send(method, path, body === undefined ? undefined : JSON.stringify(body), `Bearer ${key}`),
    post: (path, body) => send("POST", path, body),
    async pid(part) {
      const recorded = await readFile(join(directory, "processes.json"), "utf8").catch(() => "[]");
      const parsed = processes.safeParse(parseJson(recorded));
      return parsed.data?.find(({ name }) => name === part)?.pid;
    },
    async stop() {
      agent.destroy();
      if (child.exitCode === null) {
        const ended = new Promise((resolve) => child.once("exit", resolve));
        child.kill("SIGTERM");
        await ended;
      }
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A file that is being replaced may be read half. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

async function untilUp(child: ChildProcess): Promise<void> {
  let said = "";
  const up = new Promise<void>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      said += chunk.toString();
      if (said.includes("Tandem is up")) resolve();
    };
    child.stdout?.on("data", read);
    child.stderr?.on("data", read);
    child.once("exit", (code) =>
      reject(new Error(`The instance ended with ${code} before it was up:\n${said.slice(-2_000)}`)),
    );
  });
  await up;
  child.removeAllListeners("exit");
}

function exchange(parts: {
  agent: Agent;
  port: number;
  method: string;
  path: string;
  body: string | undefined;
  authorization: string | undefined;
}): Promise<Answer> {
  const { agent, port, method, path, body, authorization } = parts;
  const headers = {
    ...(authorization === undefined ? {} : { authorization }),
    ...(body === undefined ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
  };
  return new Promise((resolve, reject) => {
    const sent = request({ agent, host: "127.0.0.1", port, method, path, headers, timeout: 30_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, body: parseJson(Buffer.concat(chunks).toString()) }),
      );
    });
    sent.on("error", reject);
    sent.on("timeout", () => sent.destroy(new Error("no answer within 30 s")));
    sent.end(body);
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("No free port was given.");
  return address.port;
}

/** Asks until the answer is true; throws after `limitMs`, with what was waited for. */
export async function until(what: string, ask: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await ask().catch(() => false))) {
    if (Date.now() > end) throw new Error(`Waited ${limitMs / 1_000} s for ${what}.`);
    await sleep(100);
  }
}
