import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { SMTPServer } from "smtp-server";
import { expect, onTestFinished, test } from "vitest";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { createTestFolder } from "../support/folder.ts";
import { startTandem, untilUp, type Tandem } from "../support/tandem.ts";
import { until } from "../support/until.ts";

const forms = 50;

test(
  "while the mail server is away runs wait without a slot; Temporal's file is lost meanwhile; all complete, each step once",
  { timeout: 300_000 },
  async () => {
    const directory = await createTestFolder();
    const smtpPort = await chooseFreePort();
    const environment = { SMTP_URL: `smtp://127.0.0.1:${smtpPort}`, MAIL_FROM: "tandem@x.example", LOG_LEVEL: "error" };
    const first = await start(directory, environment);
    const client = await clientOf(first, directory);
    await client("PUT", "/api/settings", { runLimit: 5 });

    const leads = await hookOf(client, "web-form-leads");
    const accepted = await Promise.all(
      Array.from({ length: forms }, (_, i) =>
        post(leads, { email: `p${i}@away.example`, company: "Away", firstName: `P${i}` }),
      ),
    );
    await until(
      "all of them to wait for the mail server",
      async () => (await statuses(client, accepted)).every((status) => status === "waiting"),
      120_000,
    );

    const other = await client("POST", "/api/workflows", {
      formatVersion: 1,
      key: "other",
      name: "Other",
      triggers: [{ id: "go", kind: "webhook" }],
      steps: [{ id: "x", kind: "set", input: { x: 1 } }],
    });
    const { triggers } = await client("POST", `/api/workflows/${other.id}/activate`);
    const run = await post(triggers[0].url, {});
    await until(
      "the other workflow to run",
      async () => (await client("GET", `/api/runs/${run}`)).status === "completed",
    );
    const { createdAt, startedAt } = await client("GET", `/api/runs/${run}`);
    expect(Date.parse(startedAt) - Date.parse(createdAt)).toBeLessThan(2_000);

    await first.stop();
    const temporal = join(directory, "temporal");
    const files = (await readdir(temporal)).filter((file) => file.includes(".db"));
    expect(files).not.toEqual([]);
    for (const file of files) await rm(join(temporal, file));
    const received = await startSmtp(smtpPort);
    const second = await start(directory, environment, Number(new URL(first.url).port));
    await until(
      "all of them to complete",
      async () => (await statuses(client, accepted)).every((status) => status === "completed"),
      180_000,
    );

    expect((await client("GET", "/rest/people?limit=1")).totalCount).toBe(forms);
    expect((await client("GET", "/rest/companies?limit=1")).totalCount).toBe(1);
    expect((await client("GET", "/rest/tasks?limit=1")).totalCount).toBe(forms);
    expect(received.size).toBe(forms);
    const { steps } = await client("GET", `/api/runs/${accepted[0]}`);
    const tell = steps.find((step: { path: string }) => step.path === "tell");
    expect(tell).toMatchObject({
      status: "done",
      attempts: expect.arrayContaining([
        expect.objectContaining({ error: expect.objectContaining({ code: "mail-unavailable" }) }),
      ]),
    });
    await second.stop();
  },
);

async function start(directory: string, environment: Record<string, string>, port?: number): Promise<Tandem> {
  const tandem = startTandem({ directory, port: port ?? (await chooseFreePort()), environment });
  onTestFinished(() => tandem.killAll().catch(() => {}));
  await untilUp(tandem);
  return tandem;
}

type Client = (method: string, path: string, body?: object) => Promise<ReturnType<typeof JSON.parse>>;

async function clientOf({ url }: Tandem, directory: string): Promise<Client> {
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const response = await fetch(url + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
}

async function hookOf(client: Client, key: string): Promise<string> {
  const { data } = await client("GET", "/api/workflows");
  const { id } = data.find((workflow: { key: string }) => workflow.key === key);
  return (await client("GET", `/api/workflows/${id}`)).triggers[0].url;
}

async function post(url: string, body: object): Promise<string> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { runId: string }).runId;
}

async function statuses(client: Client, ids: readonly string[]): Promise<string[]> {
  const { data } = await client("GET", "/api/runs?limit=200");
  const byId = new Map(data.map((run: { id: string; status: string }) => [run.id, run.status]));
  return ids.map((id) => String(byId.get(id)));
}

/** A mail server of somebody else's: what it got, by Message-ID. */
async function startSmtp(port: number): Promise<Map<string, number>> {
  const received = new Map<string, number>();
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    onData(stream, _session, done) {
      let text = "";
      stream.on("data", (chunk: Buffer) => (text += chunk.toString()));
      stream.on("end", () => {
        const id = /^message-id:\s*(\S+)/im.exec(text)?.[1] ?? "";
        received.set(id, (received.get(id) ?? 0) + 1);
        done();
      });
    },
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", () => resolve()));
  onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
  return received;
}
