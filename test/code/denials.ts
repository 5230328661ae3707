import type { CodeFailure } from "../../src/code/protocol.ts";

/** What a probe may end as; `done`: it is harmless, and its result is there. */
export type End = CodeFailure["why"] | "done";

/** Ways to use up a machine, with what each ends as. `f` stands for the function's body. */
export const denials: ReadonlyArray<{ name: string; source: string; ends: readonly End[] }> = [
  { name: "an endless loop", source: body("for (;;);"), ends: ["timeout"] },
  { name: "an endless loop while the source is read", source: "for (;;);\nexport default () => 1;", ends: ["timeout"] },
  {
    name: "an endless loop that catches",
    source: body("for (;;) try { for (;;); } catch {} finally { continue; }"),
    ends: ["timeout"],
  },
  {
    name: "endless promises",
    source: body("const go = () => Promise.resolve().then(go); return go();"),
    ends: ["timeout", "memory"],
  },
  {
    name: "promises beside one another",
    source: body("const go = async () => { for (;;) await null; }; go(); return go();"),
    ends: ["timeout"],
  },
  {
    name: "an endless generator",
    source: body("return [...(function* () { for (;;) yield 1; })()];"),
    ends: ["timeout", "memory"],
  },
  {
    name: "an expression that goes back and back",
    source: body('return /(a+)+$/.test("a".repeat(40) + "!");'),
    ends: ["timeout"],
  },
  {
    name: "an expression that goes back in a lookahead",
    source: body('return /(?=(a+)+b)/.test("a".repeat(60));'),
    ends: ["timeout"],
  },
  { name: "text that doubles", source: body('let text = "x"; for (;;) text += text;'), ends: ["memory", "threw"] },
  { name: "text that is repeated", source: body('return "x".repeat(2 ** 30).length;'), ends: ["memory", "threw"] },
  {
    name: "text that is filled up",
    source: body('return "x".padEnd(2 ** 29, "y").length;'),
    ends: ["memory", "threw"],
  },
  {
    name: "text that replaces itself",
    source: body('let text = "x".repeat(1000); for (;;) text = text.replace(/.+/s, "$&$&$&$&");'),
    ends: ["memory", "threw", "timeout"],
  },
  {
    name: "lists that are joined",
    source: body('return new Array(2 ** 27).join("xxxxxxxx").length;'),
    ends: ["memory", "threw", "timeout"],
  },
  {
    name: "a gigabyte of memory",
    source: body("return new ArrayBuffer(2 ** 30).byteLength;"),
    ends: ["memory", "threw"],
  },
  {
    name: "many pieces of memory",
    source: body("const all = []; for (;;) all.push(new Uint8Array(1e6));"),
    ends: ["memory"],
  },
  {
    name: "small objects without end",
    source: body("const all = []; for (;;) all.push({ a: [{}] });"),
    ends: ["memory", "timeout"],
  },
  { name: "a chain of objects", source: body("let last = {}; for (;;) last = { last };"), ends: ["memory", "timeout"] },
  {
    name: "a map that grows",
    source: body("const map = new Map(); for (let i = 0; ; i++) map.set(i, {});"),
    ends: ["memory", "timeout"],
  },
  {
    name: "closures that hold one another",
    source: body("let f = () => 1; for (;;) { const g = f; f = () => g; }"),
    ends: ["memory", "timeout"],
  },
  {
    name: "a number of many digits",
    source: body("let big = 2n; for (;;) big *= big;"),
    ends: ["memory", "threw", "timeout"],
  },
  {
    name: "a power of many digits",
    source: body("return String((2n ** 4000000n) ** 50n).length;"),
    ends: ["memory", "threw", "timeout"],
  },
  {
    name: "a number written out",
    source: body("return String(7n ** 2000000n).length;"),
    ends: ["timeout", "memory", "threw"],
  },
  {
    name: "a long list that is sorted",
    source: body("return new Array(3e7).fill(0).map(Math.random).sort().length;"),
    ends: ["memory", "timeout"],
  },
  {
    name: "a list that is sorted without end",
    source: body("return Array.from({ length: 1e5 }, (_, i) => i).sort(() => { for (;;); }).length;"),
    ends: ["timeout"],
  },
  {
    name: "a list of any length",
    source: body("return Array.from({ length: 2 ** 32 - 1 }).length;"),
    ends: ["memory", "timeout", "threw"],
  },
  { name: "a recursion", source: body("const go = () => go() + 1; return go();"), ends: ["threw"] },
  {
    name: "a recursion that catches",
    source: body("const go = () => { try { go(); } catch { go(); } }; go(); return 1;"),
    ends: ["timeout", "threw", "done"],
  },
  {
    name: "a recursion of getters",
    source: body("const o = { get a() { return this.a; } }; return o.a;"),
    ends: ["threw"],
  },
  {
    name: "a recursion of conversions",
    source: body("const o = { toString: () => `${o}` }; return `${o}`;"),
    ends: ["threw"],
  },
  {
    name: "a recursion of proxies",
    source: body("let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x ?? 1;"),
    ends: ["threw", "done", "memory", "timeout"],
  },
  {
    name: "deep JSON that is read",
    source: body('JSON.parse("[".repeat(2e5) + "]".repeat(2e5)); return 1;'),
    ends: ["threw", "done"],
  },
  {
    name: "deep lists that are written",
    source: body("let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; return JSON.stringify(deep);"),
    ends: ["threw", "memory"],
  },
  {
    name: "a deep result",
    source: body("let deep = []; for (let i = 0; i < 1e5; i++) deep = [deep]; return deep;"),
    ends: ["result"],
  },
  {
    name: "an expression that nests",
    source: body('new RegExp("(".repeat(1e5) + ")".repeat(1e5)); return 1;'),
    ends: ["threw"],
  },
  {
    name: "a source that nests",
    source: `export default () => ${"(".repeat(1e5)}1${")".repeat(1e5)};`,
    ends: ["source"],
  },
  {
    name: "a source of lists in lists",
    source: `export default () => ${"[".repeat(5e4)}${"]".repeat(5e4)};`,
    ends: ["source"],
  },
  {
    name: "a type that nests",
    source: `let x: ${"Array<".repeat(3e4)}string${">".repeat(3e4)};\nexport default () => 1;`,
    ends: ["source", "done"],
  },
  {
    name: "a source that calls itself in eval",
    source: body('const go = () => eval("go()"); return go();'),
    ends: ["threw"],
  },
  {
    name: "a million lines on the console",
    source: body('for (let i = 0; i < 1e6; i++) console.log("x".repeat(100), i); return 1;'),
    ends: ["done", "timeout"],
  },
  { name: "one long line on the console", source: body('console.log("x".repeat(2e7)); return 1;'), ends: ["done"] },
  {
    name: "a hundred megabytes of result",
    source: body('return new Array(100).fill("x".repeat(1e6));'),
    ends: ["memory", "result", "threw"],
  },
  { name: "ten megabytes of result", source: body('return "x".repeat(1e7);'), ends: ["result"] },
  { name: "a result that lies in itself", source: body("const a = {}; a.a = { a }; return a;"), ends: ["result"] },
  { name: "a BigInt as result", source: body("return { a: 1n };"), ends: ["result"] },
  { name: "a symbol as result", source: body("return { a: Symbol() };"), ends: ["result"] },
  { name: "a function as result", source: body("return { a() {} };"), ends: ["result"] },
  {
    name: "a proxy as result, of endless keys",
    source: body("return new Proxy({}, { ownKeys: () => Array.from({ length: 1e7 }, (_, i) => `k${i}`) });"),
    ends: ["memory", "timeout", "threw"],
  },
  {
    name: "a proxy as result, which waits",
    source: body("return new Proxy({ a: 1 }, { get() { for (;;); } });"),
    ends: ["timeout"],
  },
  { name: "a getter as result, which waits", source: body("return { get a() { for (;;); } };"), ends: ["timeout"] },
  { name: "an error of ten megabytes", source: body('throw new Error("x".repeat(1e7));'), ends: ["threw"] },
  {
    name: "an error that waits when it is looked at",
    source: body('throw Object.defineProperty(new Error(), "message", { get() { for (;;); } });'),
    ends: ["timeout"],
  },
  {
    name: "an error that throws when it is looked at",
    source: body("throw new Proxy(new Error(), { get() { throw 1; } });"),
    ends: ["threw"],
  },
  { name: "a promise that is never settled", source: body("return new Promise(() => {});"), ends: ["stuck"] },
  {
    name: "a source that is never done",
    source: "await new Promise(() => {});\nexport default () => 1;",
    ends: ["stuck"],
  },
  {
    name: "hashes without end",
    source: body('const text = "x".repeat(1e6); for (;;) sha512(text);'),
    ends: ["timeout"],
  },
  { name: "dates without end", source: body('for (;;) addDays("2026-01-01", 1);'), ends: ["timeout"] },
  { name: "long texts for the host", source: body('for (;;) base64Encode("x".repeat(9e6));'), ends: ["threw"] },
  {
    name: "CSV that is never closed",
    source: body("return parseCsv('\"' + 'a,\\n'.repeat(1e5)).length;"),
    ends: ["threw"],
  },
];

function body(text: string): string {
  return `export default async function (input) {\n  ${text}\n}`;
}
