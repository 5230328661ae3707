import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { projectRoot } from "../../src/config.ts";
import type { JsonObject } from "../../src/json.ts";
import { authenticationKinds } from "../../src/triggers/webhook/authentication/settings.ts";
import { createTestDatabase } from "../support/database.ts";
import { startGateway } from "../api/gateway.ts";
import { createReceiver } from "../api/hooks/receiver.ts";

const run = promisify(execFile);

interface Example {
  readonly name: string;
  readonly settings: JsonObject;
  readonly script: string;
}

const text = await readFile(join(projectRoot, "docs", "webhooks.md"), "utf8");
const examples: Example[] = text.split(/^### /m).flatMap((section) => {
  const [, yaml] = /^```yaml\n([\s\S]*?)^```$/m.exec(section) ?? [];
  const [, script] = /^```bash\n([\s\S]*?)^```$/m.exec(section) ?? [];
  if (yaml === undefined || script === undefined) return [];
  return [{ name: section.split("\n", 1)[0]!, settings: parse(yaml) as JsonObject, script }];
});

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { receive, keep } = createReceiver(gateway);
const value = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const kept = new Set<string>();
const hasTools = await run("bash", ["-c", "command -v curl openssl base64 od"]).then(
  () => true,
  () => false,
);

const namesSecret = ({ settings }: Example): string | undefined => {
  const { authentication, challenge } = settings as { authentication?: JsonObject; challenge?: JsonObject };
  const secret = authentication?.["secret"] ?? challenge?.["secret"];
  return typeof secret === "string" ? secret : undefined;
};

/** The value of the secret that an example names: of a form that every kind can use. */
async function secretOf(example: Example): Promise<string> {
  const name = namesSecret(example);
  if (name !== undefined && !kept.has(name)) await keep(name, value);
  if (name !== undefined) kept.add(name);
  return value;
}

async function curl({ settings, script }: Example, secret: string): Promise<{ output: string; log: JsonObject }> {
  const { id, hook } = await receive(settings);
  const environment = { PATH: String(process.env["PATH"]), HOOK: `${gateway.url}${hook}`, SECRET: secret };
  const { stdout } = await run("bash", ["-euo", "pipefail", "-c", script], { env: environment });
  const { body } = await gateway.call("GET", `/api/deliveries?workflowId=${id}`);
  return { output: stdout, log: (body["data"] as JsonObject[])[0]! };
}

test("every kind of authentication has an example", () => {
  const named = examples.map(({ name }) => name);
  expect(named).toEqual(expect.arrayContaining(authenticationKinds.filter((kind) => kind !== "none")));
});

describe.runIf(hasTools)("the example of", () => {
  test.each(examples.map((example) => [example.name, example] as const))("%s", async (_name, example) => {
    const { output, log } = await curl(example, await secretOf(example));
    expect({ output, log }).toMatchObject({ log: { outcome: expect.stringMatching(/^(accepted|answered)$/) } });
    expect(output).toMatch(log["outcome"] === "accepted" ? /"run(Id)?":"[0-9a-f-]{36}"/ : /^[\w: ]+$/);
  });

  test.each(
    examples.filter((example) => namesSecret(example) !== undefined).map((example) => [example.name, example] as const),
  )("%s is refused with another secret", async (_name, example) => {
    await secretOf(example);
    const { log } = await curl(example, "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    expect(log).toMatchObject({ outcome: "refused", status: 401 });
  });
});
