import { afterAll } from "vitest";
import { createCode, type Code, type CodeResult } from "../../src/code/code.ts";
import { usualLimits, type CodeLimits } from "../../src/code/limits.ts";
import { readConfig } from "../../src/config.ts";
import type { Json } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";

/** Code that is run as a step's is; its processes end with the test file. */
export interface TestCode extends Code {
  /** Runs a source with data. */
  call(source: string, data?: Json, limits?: Partial<CodeLimits>): Promise<CodeResult>;
  /** What a source returned; throws when it failed. */
  value(source: string, data?: Json): Promise<unknown>;
}

export function createTestCode(environment: Record<string, string> = {}): TestCode {
  const code = createCode(readConfig(environment), createLog("test", "fatal"));
  afterAll(() => code.stop());
  const call: TestCode["call"] = (source, data = {}, limits = {}) =>
    code.run(
      { source, input: JSON.stringify(data), timeZone: "Europe/Berlin", limits: { ...usualLimits, ...limits } },
      new AbortController().signal,
    );
  return {
    ...code,
    call,
    async value(source, data) {
      const result = await call(source, data);
      if (result.kind === "failed") throw new Error(`${result.why}: ${result.message}`);
      return JSON.parse(result.output) as unknown;
    },
  };
}

/** A source whose function gives what the expression does. */
export function giving(expression: string): string {
  return `export default function (input) {\n  return ${expression};\n}`;
}
