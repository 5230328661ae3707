import { z } from "zod";
import type { SourceFault, SourcePlace } from "../protocol.ts";
import type { Engine } from "./engine.ts";
import { readFault, stripTypes } from "./strip-types.ts";

/** A source as JavaScript, and what is wrong with it. */
export interface Checked {
  readonly source: string;
  readonly faults: readonly SourceFault[];
}

const checkMemoryMiB = 64;
/** Imported first, so that what is imported after it is read and linked, and never runs. */
const stop = "throw null";
const asking = `import "stop"; import call from "source";`;

/** Takes the types out and lets the interpreter read the rest, without running any of it. */
export async function checkSource(
  engine: Engine,
  source: string,
  bounds: { stackKiB: number; isOver(): boolean },
): Promise<Checked> {
  const stripped = strip(source);
  if (typeof stripped !== "string") return { source: "", faults: [stripped] };
  const { runtime, context } = await engine.create({ ...bounds, memoryMiB: checkMemoryMiB });
  let imported: string | undefined;
  runtime.setModuleLoader(
    (name) => (name === "stop" ? stop : stripped),
    (from, name) => {
      if (from === "asking") return name;
      imported ??= name;
      return { error: new Error("Code imports nothing") };
    },
  );
  const { error } = context.evalCode(asking, "asking", { type: "module" });
  if (imported !== undefined) return { source: stripped, faults: [importFault(stripped, imported)] };
  // Where all is well, what was thrown is the null of `stop`.
  const { data } = faultSchema.safeParse(error === undefined ? null : context.dump(error));
  return { source: stripped, faults: data === undefined ? [] : [faultOf(data)] };
}

const faultSchema = z.object({ message: z.string(), stack: z.string().default("") });

function strip(source: string): string | SourceFault {
  try {
    return stripTypes(source);
  } catch (error) {
    const fault = readFault(error, source);
    if (fault === undefined) throw error;
    return fault;
  }
}

function importFault(source: string, name: string): SourceFault {
  const at = [...source.matchAll(/["']([^"'\n]*)["']/g)].find(([, text]) => text === name)?.index;
  return {
    message: `code imports nothing: what it may use is there as globals (docs/code.md)`,
    ...(at === undefined ? {} : { place: placeOf(source, at) }),
  };
}

function placeOf(source: string, at: number): SourcePlace {
  const before = source.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function faultOf({ message, stack }: z.output<typeof faultSchema>): SourceFault {
  if (/export 'default'/.test(message))
    return { message: "it exports no function: write export default function (input) { … }" };
  const [, line, column] = /source:(\d+):(\d+)/.exec(stack) ?? [];
  const place = line === undefined ? {} : { place: { line: Number(line), column: Number(column) } };
  if (message === "stack overflow") return { message: "it is nested too deeply", ...place };
  return { message, ...place };
}
