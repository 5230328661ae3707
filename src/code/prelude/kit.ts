import { describeThrown, type Thrown } from "./describe-thrown.ts";
import { createConsole } from "./console.ts";
import { createHelpers } from "./helpers.ts";
import { ResultFault, toJson } from "./result.ts";

/** The one function that the host lends: texts in, a text out, which begins with "=", or with "!" before a fault. */
export type Host = (name: string, ...texts: readonly string[]) => string;

/** What the host does with the interpreter beside running the source. */
export interface Kit {
  /** Calls the source's function with the input, which is JSON. */
  begin(call: unknown, input: string): void;
  /** What became of it: empty while it is open, "=" and the output's JSON, "!" and a `Thrown` with its `why`. */
  look(): string;
  /** A `Thrown` as JSON. */
  describe(thrown: unknown): string;
}

/**
 * Gives the interpreter its globals, before any of the user's code is there, and the host its kit. All of
 * it lies in the user's reach: what comes out of here is theirs, and the host believes none of it.
 */
export function createKit(host: Host): Kit {
  // There is one thread only, and waiting for another would be waiting for ever.
  for (const name of ["SharedArrayBuffer", "Atomics"]) Reflect.deleteProperty(globalThis, name);
  for (const [name, value] of Object.entries({ ...createHelpers(host), console: createConsole(host) }))
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  let outcome = "";

  async function work(call: unknown, input: string): Promise<void> {
    try {
      if (typeof call !== "function")
        throw new ResultFault("The source exports no function: write export default function (input) { … }.");
      outcome = `=${toJson(await call(JSON.parse(input)))}`;
    } catch (error) {
      outcome =
        error instanceof ResultFault
          ? `!${writeThrown({ message: error.message, stack: "", why: "result" })}`
          : `!${writeThrown({ ...describeThrown(error), why: "threw" })}`;
    }
  }

  return {
    begin: (call, input) => void work(call, input),
    look: () => outcome,
    describe: (thrown) => writeThrown({ ...describeThrown(thrown), why: "threw" }),
  };
}

function writeThrown(thrown: Thrown & { why: string }): string {
  return JSON.stringify(thrown);
}
