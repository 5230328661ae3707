import { afterAll } from "vitest";
import { createApp } from "../../src/api/app.ts";
import { createEndpoints } from "../../src/api/endpoints.ts";
import { createReplays } from "../../src/api/hooks/replays.ts";
import { listen } from "../../src/api/listen.ts";
import { mailboxPage } from "../../src/api/mailbox/page.ts";
import { createRestRouter } from "../../src/api/rest/router.ts";
import type { StepKinds } from "../../src/activities/step-kind.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import type { SqlPool } from "../../src/sql.ts";
import { createFinishedRuns } from "../../src/runs/finished.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestWorkspace, recordKinds } from "../support/engine.ts";
import { createTestGate } from "../support/gate.ts";
import { httpParts } from "../support/http.ts";
import { createTestKey, createTestVault } from "../support/vault.ts";

/** What a request was answered with; `body` is the parsed JSON, `text` all of it. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly body: JsonObject;
}

export interface Sent {
  readonly headers?: Record<string, string>;
  /** Sent as it is; anything else as JSON. */
  readonly raw?: string | Uint8Array<ArrayBuffer> | FormData | URLSearchParams;
  readonly body?: Json;
  /** The API key; null sends none. */
  readonly key?: string | null;
}

/** The whole gateway over real HTTP, with one workspace and its key; closed after the file. */
export interface Gateway {
  readonly url: string;
  readonly key: string;
  readonly workspaceId: string;
  call(method: string, path: string, sent?: Sent): Promise<Answer>;
  /** Makes and activates a workflow; gives its id and the path of its first webhook. */
  install(definition: JsonObject): Promise<{ id: string; hook: string }>;
  /** A key of another, new workspace. */
  strangerKey(): Promise<string>;
}

export async function startGateway(
  pool: SqlPool,
  options: { kinds?: StepKinds; workspaceId?: string } = {},
): Promise<Gateway> {
  const workspaceId = options.workspaceId ?? (await createTestWorkspace(pool)).workspace.id;
  const { key } = await createTestKey(pool, { workspaceId, name: "Tester" });
  const gateway = await serveGateway(pool, options.kinds ?? recordKinds);
  const call = async (method: string, path: string, sent: Sent = {}): Promise<Answer> =>
    request(gateway, method, path, { key, ...sent });
  return {
    url: gateway,
    key,
    workspaceId,
    call,
    async install(definition) {
      const made = await call("POST", "/api/workflows", { body: definition });
      if (made.status !== 201) throw new Error(`Not made: ${made.text}`);
      const active = await call("POST", `/api/workflows/${String(made.body["id"])}/activate`);
      if (active.status !== 200) throw new Error(`Not activated: ${active.text}`);
      const [trigger] = active.body["triggers"] as [{ url: string }];
      return { id: String(made.body["id"]), hook: new URL(trigger.url).pathname };
    },
    async strangerKey() {
      const { workspace } = await createTestWorkspace(pool);
      return (await createTestKey(pool, { workspaceId: workspace.id, name: "Stranger" })).key;
    },
  };
}

/** The app on a free port, over this pool; gives its address. */
export async function serveGateway(
  pool: SqlPool,
  kinds: StepKinds,
  { trustProxy }: { trustProxy?: string } = {},
): Promise<string> {
  const log = createLog("test", "fatal");
  const publicUrl = "https://crm.example";
  const vault = createTestVault(pool);
  const { audit, gate } = createTestGate(pool);
  const finished = createFinishedRuns(pool);
  const replays = createReplays({ pool, kinds, log });
  const app = createApp({
    pool,
    log,
    kinds,
    vault,
    finished,
    trustProxy,
    publicUrl,
    mailboxPage: mailboxPage(),
    gate,
    rest: createRestRouter({ pool, log, gate }),
    endpoints: createEndpoints({
      pool,
      publicUrl,
      kinds,
      triggerKinds,
      quickLane: true,
      vault,
      audit,
      http: httpParts(pool),
      ringReplays: () => replays.ring(),
    }),
  });
  replays.start();
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  afterAll(async () => {
    finished.stop();
    await server.close();
    await replays.stop();
  });
  return `http://127.0.0.1:${server.port}`;
}

export async function request(
  url: string,
  method: string,
  path: string,
  { headers, raw, body, key }: Sent = {},
): Promise<Answer> {
  const response = await fetch(`${url}${path}`, {
    method,
    redirect: "manual",
    headers: {
      ...(key === undefined || key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(raw === undefined ? {} : { body: raw }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const isJson = /json(?!l)/.test(response.headers.get("content-type") ?? "") && text !== "";
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : {} };
}

/** A definition of one webhook with these settings and one `set`. */
export function hookDefinition(key: string, trigger: JsonObject = {}, rest: JsonObject = {}): JsonObject {
  return {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "form", kind: "webhook", ...trigger }],
    steps: [{ id: "answer", kind: "set", input: { x: 1 } }],
    ...rest,
  };
}
