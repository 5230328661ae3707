import { Client, Connection } from "@temporalio/client";
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { activate } from "../api.ts";
import { until, type Product } from "../product.ts";
import type { Written } from "./changes.ts";
import { insist } from "./insist.ts";
import { marking, type Pace, type Trial } from "./trial.ts";

const ready = z.object({ temporal: z.object({ address: z.string(), namespace: z.string() }) });
const shown = z.object({ triggers: z.array(z.object({ launcherId: z.string().optional() })) });
const retryMs = 250;

/**
 * Launches by people: of a workflow without records by the API and by signal, and for each of the people
 * that were written meanwhile, by their ids and by a filter.
 */
export async function createLaunches(
  product: Product,
  { launches, written }: { launches: number; written: readonly Written[] },
): Promise<Trial> {
  const text = { type: "text", required: true };
  const asked = { id: "ask", kind: "manual", inputs: { name: text } };
  const call = await activate(product, marking("call", asked, "called {{ trigger.inputs.name }}"));
  const each = { id: "each", kind: "manual", availability: "single", object: "person", inputs: { round: text } };
  const title = "visited {{ trigger.record.emails.primaryEmail }} {{ trigger.inputs.round }}";
  const visit = await activate(product, marking("visit", each, title));
  const client = await connect(product);
  const launcherId = await findLauncher(product, call.id);
  const expected: string[] = [];

  async function byApi(workflowId: string, body: { launchId: string; [key: string]: unknown }): Promise<void> {
    const path = `/api/workflows/${workflowId}/launch`;
    await insist(`the launch ${body.launchId}`, () => product.call("POST", path, body), [202]);
  }

  async function bySignal(name: string): Promise<void> {
    // A signal whose answer was lost is sent again: the launch id makes it one launch.
    for (;;) {
      const sent = client.workflow.getHandle(launcherId).signal("launch", { launchId: name, inputs: { name } });
      if (await sent.then(() => true).catch(() => false)) return;
      await sleep(retryMs);
    }
  }

  async function callAll(pace: Pace): Promise<void> {
    for (let number = 0; number < launches; number++) {
      await pace.pause(launches);
      const [api, signal] = [`api-${number}`, `signal-${number}`];
      await Promise.all([byApi(call.id, { launchId: api, inputs: { name: api } }), bySignal(signal)]);
      expected.push(`called ${api}`, `called ${signal}`);
    }
  }

  async function visitAll(round: string, selection: object): Promise<void> {
    const people = [...written];
    await byApi(visit.id, { launchId: round, inputs: { round }, ...selection });
    expected.push(...people.map(({ email }) => `visited ${email} ${round}`));
  }

  return {
    async start(pace) {
      await Promise.all([
        callAll(pace),
        pace.pause(2).then(() => visitAll("by-ids", { ids: written.map(({ id }) => id) })),
      ]);
    },
    async finish() {
      await client.connection.close();
      // Nobody is written any more: whom the filter selects is known.
      const filter = { field: "emails.primaryEmail", operator: "startsWith", value: "grace-" };
      await visitAll("by-filter", { filter });
    },
    marks: () => expected,
  };
}

/** The gateway is ready before a worker has said where Temporal is. */
async function connect(product: Product): Promise<Client> {
  const ask = async () => ready.safeParse((await product.call("GET", "/ready")).body).data?.temporal;
  let temporal = await ask();
  await until("a worker to say where Temporal is", async () => (temporal ??= await ask()) !== undefined, 60_000);
  if (temporal === undefined) throw new Error("No worker has said where Temporal is.");
  return new Client({
    connection: await Connection.connect({ address: temporal.address }),
    namespace: temporal.namespace,
  });
}

async function findLauncher(product: Product, workflowId: string): Promise<string> {
  const { triggers } = shown.parse((await product.call("GET", `/api/workflows/${workflowId}`)).body);
  return triggers[0]?.launcherId ?? "";
}
