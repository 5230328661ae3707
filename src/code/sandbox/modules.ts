import { readFileSync } from "node:fs";
import { extname, posix } from "node:path";
import { fileURLToPath } from "node:url";
import type { QuickJSRuntime } from "quickjs-emscripten-core";
import { stripTypes } from "./strip-types.ts";

/** Files of Tandem itself that the interpreter is given, by their path below src/. */
export type OwnModules = ReadonlyMap<string, string>;

const extension = extname(import.meta.url);
const entry = `code/prelude/kit${extension}`;

/** Reads the prelude and all that it imports: the very files that expressions are evaluated by. */
export function readOwnModules(): OwnModules {
  const modules = new Map<string, string>();
  const waiting = [entry];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (modules.has(name)) continue;
    const text = readFileSync(fileURLToPath(new URL(`../../${name}`, import.meta.url)), "utf8");
    const source = extension === ".ts" ? stripTypes(text) : text;
    modules.set(name, source);
    const from = name;
    waiting.push(...[...source.matchAll(/from "(\.[^"]+)"/g)].map(([, path]) => resolve(from, path ?? "")));
  }
  return modules;
}

function resolve(from: string, path: string): string {
  return posix.join(posix.dirname(from), path);
}

/** Which modules an interpreter may be given; `seal` lets none through any more. */
export interface Imports {
  seal(): void;
}

/** Lets the interpreter import Tandem's own files, until it is sealed: users' code imports nothing. */
export function allowImports(runtime: QuickJSRuntime, modules: OwnModules): Imports {
  let isSealed = false;
  const refused = (name: string): { error: Error } => ({
    error: new Error(`There is no module ${JSON.stringify(name.slice(0, 100))}: code imports nothing`),
  });
  runtime.setModuleLoader(
    (name) => (isSealed ? undefined : modules.get(name)) ?? refused(name),
    (from, name) => (isSealed ? refused(name) : resolve(from, name)),
  );
  return {
    seal() {
      isSealed = true;
    },
  };
}

/** A module that hands the kit's maker to the host. */
export const kitImport = `export { createKit as default } from "./${entry}"`;
