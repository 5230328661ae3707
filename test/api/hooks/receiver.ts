import { createHmac } from "node:crypto";
import type { JsonObject } from "../../../src/json.ts";
import { hookDefinition, type Answer, type Gateway, type Sent } from "../gateway.ts";

/** What tests of webhooks ask a gateway. */
export interface Receiver {
  /** Makes and activates a workflow of one webhook with these settings; gives its id and the hook's path. */
  receive(trigger: JsonObject, rest?: JsonObject): Promise<{ id: string; hook: string }>;
  /** Keeps a secret under a name of its own. */
  keep(name: string, value: string): Promise<void>;
  /** Sends as a stranger does: without a key. */
  send(method: string, hook: string, sent?: Sent): Promise<Answer>;
  /** The newest deliveries of a workflow, in full. */
  deliveries(workflowId: string): Promise<JsonObject[]>;
  /** How many runs a workflow has. */
  runs(workflowId: string): Promise<JsonObject[]>;
}

/** A receiver over a gateway. */
export function createReceiver({ call, install }: Pick<Gateway, "call" | "install">): Receiver {
  let made = 0;
  const list = async (path: string): Promise<JsonObject[]> => (await call("GET", path)).body["data"] as JsonObject[];
  return {
    receive: (trigger, rest) => install(hookDefinition(`hook-${++made}`, trigger, rest)),
    async keep(name, value) {
      const { status, text } = await call("POST", "/api/secrets", { body: { name, value } });
      if (status !== 201) throw new Error(`Not kept: ${text}`);
    },
    send: (method, hook, sent) => call(method, hook, { key: null, ...sent }),
    async deliveries(workflowId) {
      const found = await list(`/api/deliveries?workflowId=${workflowId}`);
      return Promise.all(found.map(async ({ id }) => (await call("GET", `/api/deliveries/${String(id)}`)).body));
    },
    runs: (workflowId) => list(`/api/runs?workflowId=${workflowId}&limit=200`),
  };
}

/** As GitHub signs. */
export function signLikeGitHub(secret: string, body: string): Record<string, string> {
  const signature = createHmac("sha256", secret).update(body).digest("hex");
  return { "x-hub-signature-256": `sha256=${signature}`, "content-type": "application/json" };
}

/** As Slack signs, at a moment. */
export function signLikeSlack(secret: string, body: string, at = new Date()): Record<string, string> {
  const timestamp = String(Math.floor(at.getTime() / 1_000));
  const signature = createHmac("sha256", secret).update(`v0:${timestamp}:${body}`).digest("hex");
  return {
    "x-slack-request-timestamp": timestamp,
    "x-slack-signature": `v0=${signature}`,
    "content-type": "application/json",
  };
}
