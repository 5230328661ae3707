import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createPool } from "../../src/sql.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { writtenForms } from "../../src/vault/written-forms.ts";
import { dumpDatabase } from "../support/dump.ts";
import { createEmptyDatabase } from "../support/database.ts";
import { createTestFolder } from "../support/folder.ts";
import { startService } from "../support/post-kind.ts";
import { startTestSmtp } from "../support/smtp.ts";
import { startTandem, untilUp, type Tandem } from "../support/tandem.ts";
import { until } from "../support/until.ts";

/** Whatever writes it in another way changes it. */
const canary = `canary/7f3a+b=c&d"e'f g%20<h>\\i`;

const service = await startService(async ({ path, headers, body }) => {
  const echo = {
    path,
    headers: JSON.stringify(headers),
    body,
    basic: Buffer.from(`user:${canary}`).toString("base64"),
    hex: hexOf(canary),
  };
  if (path.startsWith("/lost")) return undefined;
  if (path.startsWith("/refused")) return { status: 422, body: { message: `No: ${canary}`, echo } };
  return { status: 200, body: { message: `Welcome ${canary}`, named: Object.fromEntries([[canary, 1]]), echo } };
});
const smtp = await startTestSmtp();

test(
  "a secret that is sent in a URL, a header and a body, echoed, thrown by code and mailed is found nowhere else",
  { timeout: 180_000 },
  async () => {
    const directory = await createTestFolder();
    const databaseUrl = await createEmptyDatabase();
    const tandem = await start(directory, {
      DATABASE_URL: databaseUrl,
      LOG_LEVEL: "debug",
      SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
      MAIL_FROM: "tandem@x.example",
    });
    const ask = await clientOf(tandem, directory);
    await ask("POST", "/api/secrets", { name: "CANARY", value: canary });
    await ask("POST", "/api/connections", connection("echo", { kind: "none" }));
    await ask("POST", "/api/connections", connection("basic", { kind: "basic", username: "user", secret: "CANARY" }));
    const { id } = await ask("POST", "/api/workflows", definition);
    const { triggers } = await ask("POST", `/api/workflows/${id}/activate`);
    const accepted = await fetch(triggers[0].url, { method: "POST", body: "{}", headers: json });
    const { runId } = (await accepted.json()) as { runId: string };
    const run = await until(
      "the run to be over",
      async () => {
        const found = await ask("GET", `/api/runs/${runId}`);
        return found.endedAt === null ? undefined : found;
      },
      60_000,
    );

    const byPath = new Map(run.steps.map((step: { path: string }) => [step.path, step]));
    expect(run).toMatchObject({ status: "completed", error: null });
    expect(byPath.get("refused")).toMatchObject({ status: "failed", error: { status: 422 } });
    expect(byPath.get("thrown")).toMatchObject({ status: "failed", error: { code: "code-failed" } });
    expect(byPath.get("lost")).toMatchObject({ status: "outcome-unknown" });
    expect(byPath.get("mail")).toMatchObject({ status: "done" });
    // It went where it was meant to go.
    const [sent] = service.received.filter(({ path }) => path.startsWith("/in/"));
    const { pathname, searchParams } = new URL(sent!.path, service.url);
    expect(decodeURIComponent(pathname)).toBe(`/in/${canary}`);
    expect(searchParams.get("key")).toBe(canary);
    expect(sent!.headers["x-token"]).toBe(`Token ${canary}`);
    expect(JSON.parse(sent!.body)).toEqual({ token: canary, more: [`a ${canary} b`] });
    const [basic] = service.received.filter(({ path }) => path === "/basic");
    expect(basic!.headers.authorization).toBe(`Basic ${Buffer.from(`user:${canary}`).toString("base64")}`);
    expect(decodeQuoted(smtp.mails[0]!.raw)).toContain(`Your key is ${canary}.`);

    const answers: string[] = [];
    for (const path of shown(runId, id)) answers.push(JSON.stringify(await ask("GET", path)));
    answers.push(await (await fetch(`${tandem.url}/metrics`)).text());
    expect(answers.join()).toContain("[redacted]");
    const pool = createPool({ url: databaseUrl, max: 1, name: "test" });
    onTestFinished(() => pool.end());
    expect(placesIn(await dumpDatabase(pool))).toEqual([]);
    expect(placesIn(answers.join("\n"))).toEqual([]);
    expect(placesIn(tandem.output())).toEqual([]);
    await tandem.stop();
    const files = await filesIn(directory);
    expect(files.some((name) => name.includes("temporal") && name.includes(".db"))).toBe(true);
    for (const name of files) expect([name, placesIn(await readFile(name, "latin1"))]).toEqual([name, []]);
  },
);

const json = { "content-type": "application/json" };

function connection(key: string, authentication: object): object {
  const allowedHosts = [new URL(service.url).host];
  return { key, name: key, baseUrl: service.url, authentication, allowHttp: true, allowedHosts };
}

const definition = {
  formatVersion: 1,
  key: "canary",
  name: "Canary",
  triggers: [{ id: "go", kind: "webhook" }],
  steps: [
    {
      id: "call",
      kind: "http-request",
      input: {
        connection: "echo",
        method: "POST",
        path: "/in/{{ secrets.CANARY }}",
        query: { key: "{{ secrets.CANARY }}" },
        headers: { "x-token": "Token {{ secrets.CANARY }}" },
        body: { token: "{{ secrets.CANARY }}", more: ["a {{ secrets.CANARY }} b"] },
      },
    },
    { id: "basic", kind: "http-request", input: { connection: "basic", path: "/basic" } },
    {
      id: "thrown",
      kind: "code",
      input: {
        data: { body: "{{ call.body }}" },
        source: "export default function (input) { console.log(input); throw new Error(JSON.stringify(input)); }",
      },
      onError: "continue",
    },
    {
      id: "refused",
      kind: "http-request",
      input: { connection: "echo", path: "/refused", query: { key: "{{ secrets.CANARY }}" } },
      onError: "continue",
    },
    {
      id: "lost",
      kind: "http-request",
      input: {
        connection: "echo",
        method: "POST",
        path: "/lost/{{ secrets.CANARY }}",
        form: { a: "{{ secrets.CANARY }}" },
      },
      onError: "continue",
      once: "lost",
    },
    { id: "record", kind: "create-record", input: { object: "company", values: { name: "{{ call.body.message }}" } } },
    {
      id: "mail",
      kind: "send-email",
      input: {
        to: ["ada@x.example"],
        subject: "{{ call.body.message }}",
        text: "Your key is {{ secrets.CANARY }}. {{ refused.error.message }}",
        html: "<p>{{ secrets.CANARY }}</p>",
      },
    },
  ],
  output: { call: "{{ call.body }}", thrown: "{{ thrown.error }}" },
};

function shown(runId: string, workflowId: string): string[] {
  const lists = "runs secrets connections once outcomes-unknown deliveries audit alerts";
  const paths = lists.split(" ").map((list) => `/api/${list}`);
  return [...paths, `/api/runs/${runId}`, `/api/workflows/${workflowId}`, "/rest/companies"];
}

const forms = writtenForms(Buffer.from(canary)).filter((form) => form.length >= 8);

/** Where a form of the canary stands, with what stands around it. */
function placesIn(text: string): string[] {
  return forms.flatMap((form) => {
    const place = text.indexOf(form);
    return place === -1 ? [] : [text.slice(Math.max(0, place - 80), place + form.length + 20)];
  });
}

function hexOf(text: string): string {
  return Buffer.from(text).toString("hex");
}

function decodeQuoted(raw: string): string {
  return raw
    .replaceAll("=\r\n", "")
    .replaceAll(/=([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}

async function filesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
}

async function start(directory: string, environment: Record<string, string>): Promise<Tandem> {
  const tandem = startTandem({ directory, port: await chooseFreePort(), environment });
  onTestFinished(() => tandem.killAll().catch(() => {}));
  await untilUp(tandem);
  return tandem;
}

async function clientOf({ url }: Tandem, directory: string) {
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  return async (method: string, path: string, body?: object): Promise<ReturnType<typeof JSON.parse>> => {
    const headers = { authorization: `Bearer ${key}`, ...json };
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...given });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
}
