import type { QuickJSContext, QuickJSHandle, QuickJSRuntime } from "quickjs-emscripten-core";
import { z } from "zod";
import { mostDataBytes } from "../limits.ts";
import type { CodeFailure, Request } from "../protocol.ts";
import { createBridge, type Bridge, type Surroundings } from "./bridge.ts";
import type { Engine } from "./engine.ts";
import { failed, readFailure } from "./failures.ts";
import { allowImports, kitImport, type OwnModules } from "./modules.ts";

type Job = Extract<Request, { kind: "run" }>;

/** What became of a piece of code. */
export type Ran = ({ readonly kind: "done"; readonly output: string } | CodeFailure) & {
  readonly log: string;
  /** The interpreter broke: whatever held it is to be thrown away. */
  readonly spent: boolean;
};

/** What every job of a process needs. */
export interface Tools {
  readonly engine: Engine;
  readonly modules: OwnModules;
  readonly stackKiB: number;
  /** Called now and then while code runs. */
  pulse(): void;
}

/** An interpreter that waits for its one job, with all but the user's own in it. */
export interface Prepared extends Session {
  readonly memoryMiB: number;
  readonly kit: Kit;
  /** From here on it is the user's time. */
  begin(job: Job): void;
}

interface Session {
  readonly context: QuickJSContext;
  readonly runtime: QuickJSRuntime;
  readonly bridge: Bridge;
  isOver(): boolean;
}

/** Makes an interpreter. It takes as long as a small job, and can be done before there is one. */
export async function prepare({ engine, modules, stackKiB, pulse }: Tools, memoryMiB: number): Promise<Prepared> {
  let end = Infinity;
  let surroundings: Surroundings = { timeZone: "UTC", now: new Date(0) };
  const isOver = (): boolean => {
    pulse();
    return performance.now() > end;
  };
  const { runtime, context } = await engine.create({ memoryMiB, stackKiB, isOver });
  const bridge = createBridge(context, () => surroundings);
  const { kit, seal } = openKit({ context, runtime, bridge }, modules);
  seal();
  return {
    runtime,
    context,
    bridge,
    isOver,
    kit,
    memoryMiB,
    begin({ timeMs, timeZone, now }) {
      surroundings = { timeZone, now: new Date(now) };
      end = performance.now() + timeMs;
    },
  };
}

/**
 * Runs a source until its function's promise is settled. Nothing is freed one by one: the interpreter and
 * its memory go as a whole.
 */
export function runCode(prepared: Prepared, job: Job, input: string): Ran {
  const { bridge, isOver } = prepared;
  prepared.begin(job);
  try {
    return { ...callSource(prepared, job.source, input), log: bridge.log(), spent: false };
  } catch (error) {
    // The host's own stack overflowed, or the interpreter gave up: it is not sound any more.
    return { ...readBroken(error, isOver()), log: bridge.log(), spent: true };
  }
}

interface Kit {
  call(name: "begin" | "look" | "describe", ...values: QuickJSHandle[]): QuickJSHandle | undefined;
}

function openKit(
  { context, runtime, bridge }: Omit<Session, "isOver">,
  modules: OwnModules,
): { kit: Kit; seal(): void } {
  const { seal } = allowImports(runtime, modules);
  const exported = context.unwrapResult(context.evalCode(kitImport, "host", { type: "module" }));
  const create = context.getProp(exported, "default");
  const object = context.unwrapResult(context.callFunction(create, context.undefined, bridge.handle));
  const call: Kit["call"] = (name, ...values) => {
    const result = context.callFunction(context.getProp(object, name), object, ...values);
    return result.error === undefined ? result.value : undefined;
  };
  return { kit: { call }, seal };
}

type Outcome = { readonly kind: "done"; readonly output: string } | CodeFailure;

function callSource(prepared: Prepared, source: string, input: string): Outcome {
  const { context, kit } = prepared;
  const evaluated = context.evalCode(source, "source", { type: "module" });
  if (evaluated.error !== undefined) return thrown(prepared, evaluated.error);
  drain(prepared);
  const state = context.getPromiseState(evaluated.value);
  if (state.type === "rejected") return thrown(prepared, state.error);
  if (state.type === "pending") return unfinished(prepared);
  const call = context.getProp(state.notAPromise === true ? evaluated.value : state.value, "default");
  kit.call("begin", call, context.newString(input));
  drain(prepared);
  const looked = kit.call("look");
  const said = looked !== undefined && context.typeof(looked) === "string" ? context.getString(looked) : "";
  if (said.startsWith("=")) return outputOf(said.slice(1));
  if (said.startsWith("!")) return readFailure(said.slice(1), prepared.isOver());
  return unfinished(prepared);
}

/** Does what promises wait for, until nothing is left of it. */
function drain({ runtime, isOver }: Session): void {
  while (runtime.hasPendingJob() && !isOver()) {
    const { error } = runtime.executePendingJobs(1_000);
    error?.dispose();
  }
}

function outputOf(output: string): Outcome {
  const bytes = Buffer.byteLength(output);
  if (bytes <= mostDataBytes) return { kind: "done", output };
  return failed("result", `The result has ${bytes} bytes as JSON; ${mostDataBytes} are allowed.`);
}

function thrown({ context, isOver, kit }: Prepared, error: QuickJSHandle): CodeFailure {
  const described = kit.call("describe", error);
  return readFailure(described === undefined ? "" : context.getString(described), isOver());
}

/** Its promise is open and nothing is left to do: out of time, out of memory, or waiting for what never comes. */
function unfinished({ runtime, isOver }: Session): CodeFailure {
  if (isOver()) return readFailure("", true);
  const { memory_used_size: used, malloc_limit: limit } = memorySchema.parse(readMemory(runtime));
  return failed(used > limit * 0.8 ? "memory" : "stuck");
}

const memorySchema = z.object({ memory_used_size: z.number(), malloc_limit: z.number() });

function readMemory(runtime: QuickJSRuntime): unknown {
  const usage = runtime.computeMemoryUsage();
  return runtime.context?.dump(usage);
}

function readBroken(error: unknown, isOver: boolean): CodeFailure {
  if (isOver) return readFailure("", true);
  return error instanceof RangeError ? failed("threw", "stack overflow") : failed("memory");
}
