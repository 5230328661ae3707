import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { createTestFolder } from "../support/folder.ts";
import { startTandem, untilUp, type Tandem } from "../support/tandem.ts";
import { until } from "../support/until.ts";

const invoices = 500;
const kills = 4;
/** Of the target: every so many calls it charges, and breaks the connection. */
const breaksEvery = 3;

test(
  "of 500 invoices, 500 are made where the target honours keys, and none twice where it does not, whoever dies meanwhile",
  { timeout: 600_000 },
  async () => {
    const billing = await startBilling();
    const directory = await createTestFolder();
    const tandem = await start(directory);
    const ask = await clientOf(tandem, directory);
    const honours = await install(ask, { billing, key: "honours", honoursIdempotencyKey: true });
    const ignores = await install(ask, { billing, key: "ignores", honoursIdempotencyKey: false });
    const killing = killWorkers(tandem, billing);
    const accepted = await postAll([honours.url, ignores.url]);
    const inFlight = await killing;
    await allOver(ask, accepted);

    // What counts is what the target has.
    expect(billing.made("honours").size).toBe(invoices);
    expect([...billing.made("honours").values()].filter((times) => times !== 1)).toEqual([]);
    expect([...billing.made("ignores").values()].filter((times) => times > 1)).toEqual([]);
    const unknown = await allOf(ask, `/api/outcomes-unknown?workflowId=${ignores.id}`);
    const completed = await allOf(ask, `/api/runs?workflowId=${ignores.id}&status=completed`);
    const failed = await allOf(ask, `/api/runs?workflowId=${ignores.id}&status=failed`);
    expect(completed.length + unknown.length).toBe(invoices);
    expect(failed.map(({ id }) => id).toSorted()).toEqual(unknown.map(({ runId }) => runId).toSorted());
    expect(billing.made("ignores").size).toBeGreaterThanOrEqual(completed.length);
    expect(await allOf(ask, `/api/runs?workflowId=${honours.id}&status=completed`)).toHaveLength(invoices);
    expect(await allOf(ask, `/api/outcomes-unknown?workflowId=${honours.id}`)).toEqual([]);
    console.log(
      `${kills} kills, with ${inFlight.join(", ")} calls in flight; ${unknown.length} of ${invoices} unknown, ` +
        `${billing.made("ignores").size - completed.length} of these were made`,
    );
    expect(inFlight.filter((calls) => calls > 0)).not.toEqual([]);

    // Asked for again, under the same values: not one more.
    await allOver(ask, await postAll([honours.url], 50));
    expect([...billing.made("honours").values()].filter((times) => times !== 1)).toEqual([]);
  },
);

/** A company that charges: it counts what it made, by account and reference. */
async function startBilling() {
  const made = new Map<string, Map<string, number>>();
  const answers = new Map<string, string>();
  let calls = 0;
  let inFlight = 0;
  const charge = (account: string, reference: string): string => {
    const own = made.get(account) ?? new Map<string, number>();
    made.set(account, own.set(reference, (own.get(reference) ?? 0) + 1));
    return JSON.stringify({ id: `${account}-${reference}` });
  };
  const answer = async (account: string, key: string, body: string, response: ServerResponse): Promise<void> => {
    const known = account === "honours" ? answers.get(key) : undefined;
    const invoice = known ?? charge(account, String(JSON.parse(body).reference));
    answers.set(key, invoice);
    calls += 1;
    const breaks = calls % breaksEvery === 0;
    // As long as charging takes.
    await sleep(20);
    if (breaks) response.destroy();
    else response.writeHead(201, { "content-type": "application/json" }).end(invoice);
  };
  const server = createServer((request, response) => {
    inFlight += 1;
    response.once("close", () => (inFlight -= 1));
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const [, account = ""] = (request.url ?? "").split("/");
      const key = String(request.headers["idempotency-key"]);
      void answer(account, key, Buffer.concat(chunks).toString(), response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The target has no port.");
  return {
    url: `http://127.0.0.1:${address.port}`,
    /** How often each reference was charged. */
    made: (account: string): ReadonlyMap<string, number> => made.get(account) ?? new Map(),
    calls: () => calls,
    inFlight: () => inFlight,
  };
}

type Billing = Awaited<ReturnType<typeof startBilling>>;
type Ask = (method: string, path: string, body?: object) => Promise<ReturnType<typeof JSON.parse>>;

async function install(
  ask: Ask,
  { billing, key, honoursIdempotencyKey }: { billing: Billing; key: string; honoursIdempotencyKey: boolean },
): Promise<{ id: string; url: string }> {
  await ask("POST", "/api/connections", {
    key,
    baseUrl: `${billing.url}/${key}`,
    allowHttp: true,
    allowedHosts: [new URL(billing.url).host],
    honoursIdempotencyKey,
  });
  const { id } = await ask("POST", "/api/workflows", {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "go", kind: "webhook" }],
    steps: [
      {
        id: "charge",
        kind: "http-request",
        input: { connection: key, method: "POST", path: "/invoices", body: { reference: "{{ trigger.body.n }}" } },
        retry: { maximumAttempts: 20, initialInterval: "100ms", maximumInterval: "200ms" },
        once: "invoice:{{ trigger.body.n }}",
      },
    ],
  });
  const { triggers } = await ask("POST", `/api/workflows/${id}/activate`);
  return { id, url: triggers[0].url };
}

/** Kills the worker while it calls, again and again; gives how many calls each kill met in flight. */
async function killWorkers(tandem: Tandem, billing: Billing): Promise<number[]> {
  const met: number[] = [];
  for (let kill = 1; kill <= kills; kill++) {
    const enough = billing.calls() + 40;
    await until("calls in flight", () => billing.calls() >= enough && billing.inFlight() > 0, 60_000);
    const worker = (await tandem.processes()).get("worker");
    if (worker === undefined) throw new Error("There is no worker to kill.");
    met.push(billing.inFlight());
    process.kill(worker, "SIGKILL");
    await until("another worker", async () => (await tandem.processes()).get("worker") !== worker, 60_000);
  }
  return met;
}

async function postAll(urls: readonly string[], count = invoices): Promise<string[]> {
  const wanted = urls.flatMap((url) => Array.from({ length: count }, (_, n) => ({ url, n })));
  const accepted: string[] = [];
  while (wanted.length > 0) {
    const batch = wanted.splice(0, 20).map(async ({ url, n }) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(url, { method: "POST", headers, body: JSON.stringify({ n }) });
      expect(response.status).toBe(202);
      return ((await response.json()) as { runId: string }).runId;
    });
    accepted.push(...(await Promise.all(batch)));
  }
  return accepted;
}

async function allOver(ask: Ask, runIds: readonly string[]): Promise<void> {
  await until(
    "all runs to be over",
    async () => {
      const open = await ask("GET", "/api/runs?limit=1&status=queued,starting,running,waiting");
      return open.data.length === 0;
    },
    480_000,
  );
  expect(runIds.length).toBeGreaterThan(0);
}

async function allOf(ask: Ask, path: string): Promise<Array<{ id: string; runId: string }>> {
  const found: Array<{ id: string; runId: string }> = [];
  for (let cursor = ""; ;) {
    const page = await ask("GET", `${path}&limit=200${cursor}`);
    found.push(...page.data);
    if (page.nextCursor === null) return found;
    cursor = `&cursor=${page.nextCursor}`;
  }
}

async function start(directory: string): Promise<Tandem> {
  const tandem = startTandem({ directory, port: await chooseFreePort(), environment: { LOG_LEVEL: "error" } });
  onTestFinished(() => tandem.killAll().catch(() => {}));
  await untilUp(tandem);
  return tandem;
}

async function clientOf({ url }: Tandem, directory: string): Promise<Ask> {
  const key = (await readFile(join(directory, "api-key"), "utf8")).trim();
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
    const given = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(url + path, { method, headers, ...given });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
    return answer;
  };
}
