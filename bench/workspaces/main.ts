import { z } from "zod";
import { percentile } from "../load.ts";
import { runProduct, withFolder, type Product } from "../product.ts";
import { readMemory } from "./memory.ts";
import type { Situation, WorkspaceFigures } from "./report.ts";

const workspaces = 500;
const people = 200;
const rounds = 4;
/** In each round. */
const searches = 1_000;
const senders = 4;

const made = z.object({ id: z.string(), apiKey: z.string() });

/** A workspace, and the key that opens it; the first one is opened by the instance's own. */
interface Tenant {
  readonly authorization: string | undefined;
}

const first: Tenant = { authorization: undefined };

/**
 * One instance, started anew with one workspace and with 500, and searched in the same way: each search
 * goes to the next of its workspaces. With 500, that is done in turns with searches of the first alone:
 * what else this machine does then is the same for both.
 */
export async function measureWorkspaces(say: (sentence: string) => void): Promise<WorkspaceFigures> {
  return withFolder(async (directory) => {
    say("Starting an instance with one workspace…");
    await runProduct(directory, {}, async (product) => fill(product, first));
    const one = await runProduct(directory, {}, async (product) => measure(product, [first]));
    say(`Making ${workspaces - 1} workspaces more…`);
    const tenants: Tenant[] = [first];
    const begun = performance.now();
    await runProduct(directory, {}, async (product) => makeTenants(product, tenants));
    const makeSeconds = (performance.now() - begun) / 1_000;
    say(`Starting it with ${workspaces} workspaces…`);
    const many = await runProduct(directory, {}, async (product) => measure(product, tenants));
    return {
      workspaces,
      makeSeconds,
      one,
      many,
      manyWorkspacesStartRatio: many.startSeconds / one.startSeconds,
      manyWorkspacesMemoryRatio: many.memoryMiB / one.memoryMiB,
      manyWorkspacesSearchRatio: many.searchP95Ms / many.firstAloneP95Ms,
    };
  });
}

async function makeTenants(product: Product, tenants: Tenant[]): Promise<void> {
  let next = tenants.length;
  await together(async () => {
    while (next < workspaces) {
      const name = `Workspace ${next++}`;
      const answer = await product.call("POST", "/api/workspaces", { name });
      if (answer.status !== 201) throw new Error(`A workspace was answered with ${answer.status}.`);
      const tenant = { authorization: `Bearer ${made.parse(answer.body).apiKey}` };
      await fill(product, tenant);
      tenants.push(tenant);
    }
  });
}

async function fill(product: Product, tenant: Tenant): Promise<void> {
  const rows = Array.from({ length: people }, (_, number) => ({
    name: { firstName: "Bench", lastName: String(number) },
    emails: { primaryEmail: emailOf(number) },
  }));
  const body = JSON.stringify(rows);
  const { status } = await product.send({ ...headersOf(tenant), method: "POST", path: "/rest/batch/people", body });
  if (status !== 201) throw new Error(`The people were answered with ${status}.`);
}

function emailOf(number: number): string {
  return `person-${number}@bench.example`;
}

function headersOf({ authorization }: Tenant): { authorization?: string } {
  return authorization === undefined ? {} : { authorization };
}

async function measure(product: Product, tenants: readonly Tenant[]): Promise<Situation> {
  // What is measured is the work that goes on, not the first look at each table.
  await searchAll(product, tenants, Math.max(tenants.length * senders * 2, searches));
  const all: number[] = [];
  const alone: number[] = [];
  for (let round = 0; round < rounds; round++) {
    all.push(...(await searchAll(product, tenants, searches)));
    alone.push(...(await searchAll(product, [first], searches)));
  }
  const [latencies, ofFirst] = [all, alone].map((each) => each.toSorted((a, b) => a - b));
  return {
    startSeconds: product.upSeconds,
    memoryMiB: await readMemory(product),
    searchP50Ms: percentile(latencies ?? [], 0.5),
    searchP95Ms: percentile(latencies ?? [], 0.95),
    firstAloneP95Ms: percentile(ofFirst ?? [], 0.95),
  };
}

/** Milliseconds of each search. */
async function searchAll(product: Product, tenants: readonly Tenant[], count: number): Promise<number[]> {
  const latencies: number[] = [];
  let next = 0;
  await together(async () => {
    while (next < count) {
      const number = next++;
      const tenant = tenants[number % tenants.length];
      const filter = encodeURIComponent(`emails.primaryEmail[eq]:"${emailOf(number % people)}"`);
      const sentAt = performance.now();
      const { status, body } = await product.send({
        ...headersOf(tenant ?? first),
        method: "GET",
        path: `/rest/people?limit=1&filter=${filter}`,
      });
      latencies.push(performance.now() - sentAt);
      if (status !== 200 || found.parse(body).totalCount !== 1)
        throw new Error(`A search was answered with ${status}.`);
    }
  });
  return latencies;
}

const found = z.object({ totalCount: z.number() });

async function together(sender: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: senders }, sender));
}
