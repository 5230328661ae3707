import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { projectRoot } from "../../src/config.ts";
import { testMasterKeyText } from "./vault.ts";

/** The built worker as a process of its own; killed when the test is over. */
export function startWorkerProcess(environment: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [join(projectRoot, "dist/src/worker/main.js")], {
    env: { PATH: process.env["PATH"], LOG_LEVEL: "fatal", MASTER_KEY: testMasterKeyText(), ...environment },
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}
