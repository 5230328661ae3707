import { z } from "zod";
import type { Product } from "./product.ts";

const created = z.object({ id: z.string() });
const activated = z.object({ triggers: z.array(z.object({ kind: z.string(), url: z.string().optional() })) });
const accepted = z.object({ runId: z.string() });
const span = z.object({ startedAt: z.string(), endedAt: z.string().nullable() });
const run = z.object({
  status: z.string(),
  createdAt: z.string(),
  startedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  steps: z.array(span.extend({ path: z.string(), attempts: z.array(span) })),
});
export type Run = z.output<typeof run>;
const counted = z.object({ totalCount: z.number() });
const page = z.object({ data: z.array(z.object({ id: z.string() })), nextCursor: z.string().nullable() });

const started = z.object({ data: z.array(z.object({ id: z.string(), startedAt: z.string().nullable() })) });
const events = z.object({ data: z.array(z.object({ createdAt: z.string() })) });

const endings = z.object({
  data: z.array(z.object({ endedAt: z.string() })),
  nextCursor: z.string().nullable(),
});

/** A workflow that is active, and the path that starts it: empty where no webhook does. */
export interface Active {
  readonly id: string;
  readonly path: string;
}

export async function activate(product: Product, definition: object): Promise<Active> {
  const made = await product.call("POST", "/api/workflows", definition);
  if (made.status !== 201) throw new Error(`The workflow was refused: ${JSON.stringify(made.body)}`);
  const { id } = created.parse(made.body);
  const { triggers } = activated.parse((await product.call("POST", `/api/workflows/${id}/activate`)).body);
  const url = triggers.find((trigger) => trigger.kind === "webhook")?.url;
  return { id, path: url === undefined ? "" : new URL(url).pathname };
}

/** Sets how many runs may go at once; 0 holds admission. */
export async function setRunLimit(product: Product, runLimit: number): Promise<void> {
  const { status } = await product.call("PUT", "/api/settings", { runLimit });
  if (status !== 200) throw new Error(`The run limit was refused with ${status}.`);
}

export function runIdOf(body: unknown): string {
  return accepted.parse(body).runId;
}

export async function readRun(product: Product, id: string): Promise<Run> {
  return run.parse((await product.call("GET", `/api/runs/${id}`)).body);
}

/** How many records there are, from `/rest`. */
export async function countRecords(product: Product, plural: string): Promise<number> {
  return counted.parse((await product.call("GET", `/rest/${plural}?limit=1`)).body).totalCount;
}

/** At most `limit` runs, of a workflow or of all, in one of these states (with commas), the newest first. */
export async function listRuns(
  product: Product,
  query: { workflowId?: string; status: string; limit: number },
): Promise<string[]> {
  const { workflowId, status, limit } = query;
  const workflow = workflowId === undefined ? "" : `workflowId=${workflowId}&`;
  const { body } = await product.call("GET", `/api/runs?${workflow}status=${status}&limit=${limit}`);
  return page.parse(body).data.map(({ id }) => id);
}

/** Unix milliseconds at which the last of a workflow's newest `runs` runs ended. */
export async function lastEnd(product: Product, workflowId: string, runs: number): Promise<number> {
  let [last, seen, after] = [0, 0, ""];
  while (seen < runs) {
    const { body } = await product.call("GET", `/api/runs?workflowId=${workflowId}&limit=200${after}`);
    const { data, nextCursor } = endings.parse(body);
    last = Math.max(last, ...data.slice(0, runs - seen).map(({ endedAt }) => Date.parse(endedAt)));
    seen += data.length;
    if (nextCursor === null) break;
    after = `&cursor=${nextCursor}`;
  }
  return last;
}

/** Milliseconds from a record's only event to the start of the run that it started; undefined: it has not started yet. */
export async function startOfRecord(product: Product, recordId: string): Promise<number | undefined> {
  const run = started.parse((await product.call("GET", `/api/runs?record=${recordId}`)).body).data[0];
  const event = events.parse((await product.call("GET", `/api/record-events?record=${recordId}`)).body).data[0];
  if (run === undefined || run.startedAt === null || event === undefined) return undefined;
  return Date.parse(run.startedAt) - Date.parse(event.createdAt);
}

/** How many runs a workflow has, counted up to `most`. */
export async function countRuns(product: Product, workflowId: string, most: number): Promise<number> {
  let [seen, after] = [0, ""];
  while (seen < most) {
    const { body } = await product.call("GET", `/api/runs?workflowId=${workflowId}&limit=200${after}`);
    const { data, nextCursor } = page.parse(body);
    seen += data.length;
    if (nextCursor === null) break;
    after = `&cursor=${nextCursor}`;
  }
  return seen;
}

/** Whether a workflow has runs in one of these states. */
export async function hasRuns(product: Product, workflowId: string, statuses: readonly string[]): Promise<boolean> {
  for (const status of statuses) {
    if ((await listRuns(product, { workflowId, status, limit: 1 })).length > 0) return true;
  }
  return false;
}

/** States of a run that is not over. */
export const openStatuses = ["queued", "starting", "running", "waiting"] as const;

/** How many mails the mailbox holds, copies included. */
export async function countMails(product: Product): Promise<number> {
  return page.parse((await product.call("GET", "/api/mailbox?limit=10000")).body).data.length;
}
