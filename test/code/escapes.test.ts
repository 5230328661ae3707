import { readFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { afterAll, expect, test } from "vitest";
import { escapes, laterEscapes } from "./escapes.ts";
import { createTestCode, giving } from "./support.ts";

const canary = "canary-in-the-environment-7f3a";
process.env["CANARY_SECRET"] = canary;
afterAll(() => {
  delete process.env["CANARY_SECRET"];
});
const code = createTestCode();

const hostNames = [
  "process",
  "require",
  "module",
  "exports",
  "global",
  "Buffer",
  "fetch",
  "WebAssembly",
  "Deno",
  "Bun",
  "std",
  "os",
  "bjson",
  "scriptArgs",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "XMLHttpRequest",
  "importScripts",
  "SharedArrayBuffer",
  "Atomics",
  "Worker",
  "navigator",
  "window",
  "document",
  "print",
  "load",
  "readFile",
  "host",
  "__host",
  "performance",
  "crypto",
  "env",
  "mainModule",
  "getBuiltinModule",
];

/** Says what of the host can be reached from what a probe gave. */
const reaching = `
  const seen = [];
  const names = ${JSON.stringify(hostNames)};
  const look = (value) => {
    for (const name of names) try { if (value != null && typeof value[name] !== "undefined") seen.push(name); } catch {}
  };
  const reach = (value) => {
    look(value);
    if (typeof value !== "function") return;
    for (const text of ["return globalThis", "return this", "return process", "return require('fs')", "return global"])
      try { const made = value(text); look(typeof made === "function" ? made() : made); } catch {}
  };`;

const probes = [
  ...Object.entries(escapes).map(([name, expression]) => [name, `reach(${expression});`] as const),
  ...Object.entries(laterEscapes).map(
    ([name, expression]) =>
      [name, `try { reach(${expression}); } catch (error) { reach(error.constructor.constructor); }`] as const,
  ),
];

test.each(probes)("nothing of the host is reached by %s", async (_, probe) => {
  const result = await code.call(`export default async function (input) {${reaching}\n  ${probe}\n  return seen;\n}`);
  expect(result).toMatchObject({ kind: "done", output: "[]" });
  expect(JSON.stringify(result)).not.toContain(canary);
});

test("there are eighty of them and more", () => {
  expect(probes.length).toBeGreaterThanOrEqual(80);
});

test.each([
  ["a key __proto__", giving(`JSON.parse('{"__proto__": {"polluted": true}, "a": 1}')`)],
  ["a key constructor", giving(`({ constructor: { prototype: { polluted: true } } })`)],
  ["a getter", giving(`({ get a() { return (() => {}).constructor.name; } })`)],
  ["a toJSON", giving(`({ toJSON: () => ({ a: 1 }) })`)],
  ["a patched JSON", `JSON.stringify = () => '{"polluted": true}';\n${giving("({ a: 1 })")}`],
  ["a patched Object.keys", `Object.keys = () => { throw Function; };\n${giving("({ a: 1 })")}`],
  ["a patched Array.prototype", `Array.prototype.includes = () => { throw 1; };\n${giving("[[1]]")}`],
  [
    "a patched Promise.prototype.then",
    `Promise.prototype.then = function (done) { done("taken"); };\n${giving("Promise.resolve(1)")}`,
  ],
  [
    "a patched prototype of errors",
    `Object.defineProperty(Error.prototype, "message", { get() { throw this; } });\n${giving("null.x")}`,
  ],
  ["a proxy", giving(`new Proxy({ a: 1 }, { ownKeys: () => ["a"], get: () => 1 })`)],
  ["a list with a hostile length", giving(`Object.assign([], { length: 3 })`)],
])("the parent takes %s in a result for data, if it takes it at all", async (_, source) => {
  const result = await code.call(source);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
  expect(() => JSON.parse(result.kind === "done" ? result.output : "null") as unknown).not.toThrow();
  expect(JSON.stringify(result)).not.toContain(canary);
});

test.runIf(process.platform === "linux")("a process for code has nothing of its parent's environment", async () => {
  await code.value(giving("1"));
  const children = execFileSync("ps", ["--ppid", String(process.pid), "-o", "pid=,args="], { encoding: "utf8" })
    .split("\n")
    .filter((line) => line.includes("child-main"))
    .map((line) => Number(line.trim().split(" ")[0]));
  expect(children.length).toBeGreaterThan(0);
  for (const pid of children) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8");
    expect(environment).not.toContain(canary);
    expect(environment.split("\0").filter((entry) => entry !== "")).toEqual(["TZ=UTC"]);
  }
});
