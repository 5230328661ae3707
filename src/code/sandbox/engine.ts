import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import baseVariant from "@jitl/quickjs-wasmfile-release-sync";
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
} from "quickjs-emscripten-core";

/** QuickJS in WebAssembly, compiled once and made anew for each use. */
export interface Engine {
  /** An interpreter of its own, with memory of its own: nothing of another is in it. */
  create(bounds: Bounds): Promise<Instance>;
}

export interface Bounds {
  readonly memoryMiB: number;
  readonly stackKiB: number;
  /** Asked now and then while code runs: true ends it. */
  isOver(): boolean;
}

export interface Instance {
  readonly runtime: QuickJSRuntime;
  readonly context: QuickJSContext;
}

// Its types describe what `require` gives.
const variant = baseVariant as unknown as QuickJSSyncVariant;

const pagesPerMiB = 16;
/** What the interpreter itself takes up, before and beside the values. */
const ownMiB = 16;

/** Compiles the interpreter. */
export function createEngine(): Engine {
  const file = createRequire(import.meta.url).resolve("@jitl/quickjs-wasmfile-release-sync/wasm");
  const wasmModule = new WebAssembly.Module(readFileSync(file));
  return {
    async create({ memoryMiB, stackKiB, isOver }) {
      const wasmMemory = new WebAssembly.Memory({
        initial: ownMiB * pagesPerMiB,
        maximum: (ownMiB + memoryMiB) * pagesPerMiB,
      });
      const quickjs = await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmModule, wasmMemory }));
      const runtime = quickjs.newRuntime();
      runtime.setMemoryLimit(memoryMiB * 1_048_576);
      runtime.setMaxStackSize(stackKiB * 1_024);
      runtime.setInterruptHandler(isOver);
      return { runtime, context: runtime.newContext() };
    },
  };
}
