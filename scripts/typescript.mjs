// node --import scripts/typescript.mjs file.ts: runs TypeScript as it stands in src/, for tests. Every
// Node from 20 on can, as the types are only taken out.
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { transformSync } from "amaro";

// Node loads this file twice: here, and where its hooks run.
if (isMainThread) register(import.meta.url);

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) return next(url, context);
  const { code } = transformSync(await readFile(fileURLToPath(url), "utf8"), { mode: "strip-only" });
  return { format: "module", source: code, shortCircuit: true };
}
