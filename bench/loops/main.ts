import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import pg from "pg";
import { z } from "zod";
import { activate, runIdOf } from "../api.ts";
import type { Product } from "../product.ts";
import { until } from "../product.ts";
import { withInstance, type Instance } from "../records/instance.ts";
import type { LoopFigures } from "./report.ts";

const items = 100_000;
/** Rows of one write that makes the records that the loop goes through. */
const batch = 1_000;
const bareItems = 5_000;
/** The item whose upsert is refused. */
const bad = 70_007;

const looping = {
  formatVersion: 1,
  key: "bench-loop",
  name: "A loop over many items",
  triggers: [{ id: "post", kind: "webhook" }],
  steps: [
    { id: "found", kind: "search-records", input: { object: "task", all: true, fields: ["title", "dueAt"] } },
    {
      id: "each",
      kind: "iterator",
      items: "{{ found.records }}",
      onItemError: "continue",
      steps: [
        {
          id: "person",
          kind: "search-records",
          input: {
            object: "person",
            filter: { field: "emails.primaryEmail", operator: "equals", value: "{{ each.item.title }}" },
            limit: 1,
          },
        },
        {
          id: "way",
          kind: "branch",
          branches: [
            { name: "known", when: { left: "{{ person.total }}", operator: "greaterThan", right: 0 }, steps: [] },
            {
              name: "new",
              steps: [
                {
                  id: "put",
                  kind: "upsert-record",
                  input: {
                    object: "person",
                    match: ["emails"],
                    // A date is no company: what has one is refused.
                    values: {
                      jobTitle: "Looped",
                      emails: { primaryEmail: "{{ each.item.title }}" },
                      companyId: "{{ each.item.dueAt | optional }}",
                    },
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  ],
  output: { counts: "{{ each.counts }}" },
};

const counts = z.object({ total: z.number(), succeeded: z.number(), failed: z.number(), filtered: z.number() });
const run = z.object({
  status: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  error: z.unknown(),
  steps: z.array(z.object({ path: z.string(), startedAt: z.string(), items: counts.nullable() })),
});
const ready = z.object({ parts: z.record(z.string(), z.unknown()) }).or(z.record(z.string(), z.unknown()));

/** A loop over a hundred thousand records, its worker killed half-way; then the same without a workflow. */
export async function measureLoops(say: (sentence: string) => void): Promise<LoopFigures> {
  say("Starting an instance for a loop…");
  return withInstance(async (instance) => {
    const { product, sql, schema } = instance;
    await makeTasks(product);
    const workflow = await activate(product, looping);
    say(`A loop over ${items} items…`);
    const id = runIdOf((await product.post(workflow.path, "{}")).body);
    const watched = await watchLoop(product, id, say);
    const over = await readLoop(product, id);
    const each = over.steps.find(({ path }) => path === "each");
    if (over.status !== "completed" || each?.items?.failed !== 1)
      throw new Error(`The loop ended as ${over.status}: ${JSON.stringify({ error: over.error, items: each?.items })}`);
    const seconds = (Date.parse(over.endedAt ?? "") - Date.parse(each.startedAt)) / 1_000;
    const { rows } = await sql.query<{ count: number }>(
      `select count(*)::integer as count from ${schema}.person where job_title = 'Looped'`,
    );
    const iteratorHistoryEvents = await longestHistory(product, id);
    say("The same statements without a workflow…");
    return {
      iteratorItems: items,
      iteratorItemsPerSecond: items / seconds,
      bareItemsPerSecond: await measureBare(instance),
      iteratorGrowthMiB: watched,
      iteratorHistoryEvents,
      iteratorSucceeded: each.items.succeeded,
      iteratorRecords: rows[0]?.count ?? 0,
    };
  });
}

async function makeTasks(product: Product): Promise<void> {
  for (let from = 0; from < items; from += batch) {
    const rows = Array.from({ length: batch }, (_, n) => taskOf(from + n));
    const { status } = await product.call("POST", "/rest/batch/tasks", rows);
    if (status !== 201) throw new Error(`A batch of tasks was answered with ${status}.`);
  }
}

function taskOf(number: number): object {
  const title = `item-${number}@loop.example`;
  return number === bad ? { title, dueAt: "2026-01-01T00:00:00.000Z" } : { title };
}

async function readLoop(product: Product, id: string): Promise<z.output<typeof run>> {
  return run.parse((await product.call("GET", `/api/runs/${id}`)).body);
}

/** Kills the worker when half of the items are over; gives by how much a worker's memory grew at most. */
async function watchLoop(product: Product, id: string, say: (sentence: string) => void): Promise<number> {
  let [growth, isKilled] = [0, false];
  /** Memory of each worker when it was first seen with the loop under way. */
  const first = new Map<number, number>();
  await until(
    "the loop to be over",
    async () => {
      const pid = await product.pid("worker");
      const memory = pid === undefined ? Number.NaN : await readMemory(pid);
      const { endedAt, steps } = await readLoop(product, id);
      const done = steps.find(({ path }) => path === "each")?.items;
      if (pid !== undefined && done !== undefined && done !== null && !Number.isNaN(memory)) {
        if (!first.has(pid)) first.set(pid, memory);
        growth = Math.max(growth, memory - (first.get(pid) ?? memory));
      }
      if (!isKilled && pid !== undefined && (done?.succeeded ?? 0) > items / 2) {
        isKilled = true;
        say("  …half-way: the worker is killed.");
        process.kill(pid, "SIGKILL");
      }
      await sleep(1_000);
      return endedAt !== null;
    },
    3_600_000,
  );
  if (!isKilled) throw new Error("The loop was over before its worker could be killed.");
  return growth;
}

async function readMemory(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(text)?.[1] ?? Number.NaN) / 1_024;
}

/** Events in the history of the run's workflow, or of its loop's own where that is longer. */
async function longestHistory(product: Product, id: string): Promise<number> {
  const temporal = temporalOf((await product.call("GET", "/ready")).body);
  const connection = await Connection.connect({ address: temporal.address });
  try {
    const { workflow } = new Client({ connection, namespace: temporal.namespace });
    const lengths = await Promise.all(
      [id, `${id}:1:each`].map(async (workflowId) => {
        const described = await workflow
          .getHandle(workflowId)
          .describe()
          .catch(() => undefined);
        return described?.historyLength ?? 0;
      }),
    );
    return Math.max(...lengths);
  } finally {
    await connection.close();
  }
}

function temporalOf(body: unknown): { address: string; namespace: string } {
  const text = JSON.stringify(ready.parse(body));
  const address = /"address":"([^"]+)"/.exec(text)?.[1];
  const namespace = /"namespace":"([^"]+)"/.exec(text)?.[1];
  if (address === undefined || namespace === undefined) throw new Error("The instance does not say where Temporal is.");
  return { address, namespace };
}

/** A search and an insert for each item, one after the other, by a client of Postgres. */
async function measureBare({ sql, schema }: Instance): Promise<number> {
  const table = pg.escapeIdentifier("bare_items");
  await sql.query(
    `create table ${schema}.${table} (id uuid primary key, email text unique, job_title text, item jsonb)`,
  );
  const begun = performance.now();
  for (let number = 0; number < bareItems; number++) {
    const email = `item-${number}@bare.example`;
    await sql.query({
      name: "bare_search",
      text: `select id, emails, job_title from ${schema}.person where nullif(lower(emails ->> 'primaryEmail'), '') = $1 and deleted_at is null limit 1`,
      values: [email],
    });
    await sql.query({
      name: "bare_upsert",
      text: `insert into ${schema}.${table} (id, email, job_title, item) values (gen_random_uuid(), $1, 'Looped', $2)
        on conflict (email) do update set job_title = excluded.job_title`,
      values: [email, JSON.stringify({ title: email })],
    });
  }
  return bareItems / ((performance.now() - begun) / 1_000);
}
