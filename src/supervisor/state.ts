import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { projectRoot } from "../config.ts";
import { chooseFreePort, isFree } from "./ports.ts";
import type { Say } from "./progress.ts";

/** Raised when an older Tandem could not use the folder any more. */
const format = 1;

const ports = z.object({ postgres: z.number(), temporal: z.number(), temporalUi: z.number(), mailbox: z.number() });

const stateSchema = z.object({
  format: z.literal(format),
  /** The release that used the folder last. */
  tandem: z.string(),
  ports,
  /** Whether the first API key has been printed. */
  keyShown: z.boolean(),
});

/** What one start leaves for the next, in <DATA_DIR>/state.json. */
export type State = Readonly<z.output<typeof stateSchema>>;
export type Ports = State["ports"];

const envelope = z.object({ format: z.number(), tandem: z.string() });

/**
 * The state of a data folder; made at the first start. Ports stay as they were chosen, unless another
 * program has taken one since. Throws when a newer Tandem has used the folder; nothing is changed then.
 */
export async function openState(directory: string, say: Say): Promise<State> {
  const tandem = await ownRelease();
  const found = await readState(directory, tandem);
  const state: State = {
    format,
    tandem,
    ports: await ensurePorts(found?.ports, say),
    keyShown: found?.keyShown ?? false,
  };
  await writeState(directory, state);
  return state;
}

/** The ports of a data folder, as the last start chose them. Undefined: nothing was started in it. */
export async function findPorts(directory: string): Promise<Ports | undefined> {
  return (await readState(directory, await ownRelease()))?.ports;
}

/** Replaces the state as a whole: a kill leaves the old one or the new one. */
export async function writeState(directory: string, state: State): Promise<void> {
  const file = join(directory, "state.json");
  await writeFile(`${file}.new`, `${JSON.stringify(state, undefined, 2)}\n`);
  await rename(`${file}.new`, file);
}

async function readState(directory: string, tandem: string): Promise<State | undefined> {
  const file = join(directory, "state.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const content = parseJson(text);
  const made = envelope.safeParse(content);
  if (made.success && (made.data.format > format || isNewer(made.data.tandem, tandem))) {
    throw new Error(
      `${directory} was made by a newer Tandem (${made.data.tandem}); this is ${tandem}. Start that version, or choose another DATA_DIR. Nothing was changed.`,
    );
  }
  const state = stateSchema.safeParse(content);
  if (state.success) return state.data;
  throw new Error(
    `${file} is not a state that Tandem wrote. Put it back from a backup, or delete it: then ports are chosen anew and no data is lost.`,
  );
}

async function ensurePorts(kept: Ports | undefined, say: Say): Promise<Ports> {
  const chosen: Ports = { postgres: 0, temporal: 0, temporalUi: 0, mailbox: 0, ...kept };
  for (const name of ["postgres", "temporal", "temporalUi", "mailbox"] as const) {
    const port = chosen[name];
    if (port !== 0 && (await isFree(port, "127.0.0.1"))) continue;
    chosen[name] = await chooseFreePort(Object.values(chosen));
    if (port !== 0) say(`Port ${port} (${name}) is used by another program by now; ${chosen[name]} takes its place.`);
  }
  return chosen;
}

async function ownRelease(): Promise<string> {
  const text = await readFile(join(projectRoot, "package.json"), "utf8");
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function isNewer(one: string, other: string): boolean {
  const [a, b] = [one, other].map((version) => version.split(/[.-]/).slice(0, 3).map(Number));
  const place = [0, 1, 2].find((index) => a?.[index] !== b?.[index]);
  return place !== undefined && (a?.[place] ?? 0) > (b?.[place] ?? 0);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
