import { firstIdAt } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import { statementName, type Query, type Sql } from "../sql.ts";
import type { Reason } from "./deliveries.ts";

/** What can become of a request that arrived. */
export const deliveryOutcomes = ["accepted", "duplicate", "refused", "answered", "captured"] as const;
export type DeliveryOutcome = (typeof deliveryOutcomes)[number];

/** A delivery as the log shows it. */
export interface Delivery {
  readonly id: string;
  readonly workflowId: string;
  readonly triggerId: string;
  readonly receivedAt: Date;
  readonly outcome: DeliveryOutcome;
  readonly status: number;
  readonly reason: Reason | null;
  readonly method: string;
  readonly ip: string | null;
  readonly bodyBytes: number;
  readonly dedupeKey: string | null;
  readonly runId: string | null;
}

/** What became of a delivery that was replayed. */
export interface DeliveryReplay {
  readonly runId: string | null;
  readonly reason: Reason | null;
  readonly at: string;
}

/** A delivery with all that was kept of it. */
export interface WholeDelivery extends Delivery {
  readonly headers: Readonly<Record<string, string>>;
  readonly query: JsonObject;
  /** Null: it was not read to the end. */
  readonly body: Buffer | null;
  readonly replays: readonly DeliveryReplay[];
}

/** Which deliveries; what is not given does not narrow. */
export interface DeliveryFilter {
  readonly workflowId?: string | undefined;
  readonly triggerId?: string | undefined;
  readonly outcome?: DeliveryOutcome | undefined;
  /** Code of the reason. */
  readonly reason?: string | undefined;
  readonly runId?: string | undefined;
  /** Received at or after, and before. */
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

const columns = `d.id, d.workflow_id as "workflowId", d.trigger_id as "triggerId", d.received_at as "receivedAt", d.outcome, d.status,
  d.reason, d.method, d.ip, d.body_bytes as "bodyBytes", d.dedupe_key as "dedupeKey", d.run_id as "runId"`;
const wholeColumns = `${columns}, d.headers, d.query, d.body`;

/** Deliveries of a workspace, newest first, without headers and bodies. `before`: older ones than this. */
export async function listDeliveries(
  sql: Sql,
  list: { workspaceId: string; filter: DeliveryFilter; before?: string | undefined; limit: number },
): Promise<Delivery[]> {
  const { where, values } = filterSql(list.workspaceId, list.filter);
  const text = `select ${columns} from tandem.deliveries d where ${where}
      and ($${values.length + 1}::uuid is null or d.id < $${values.length + 1}) order by d.id desc limit $${values.length + 2}::integer`;
  const { rows } = await sql.query<Delivery>(queryOf(text, [...values, list.before ?? null, list.limit]));
  return rows;
}

/** One delivery; undefined where the workspace has none of that id. */
export async function findDelivery(
  sql: Sql,
  { workspaceId, deliveryId }: { workspaceId: string; deliveryId: string },
): Promise<WholeDelivery | undefined> {
  const text = `select ${wholeColumns}, coalesce((
        select jsonb_agg(jsonb_build_object('runId', r.run_id, 'reason', r.reason, 'at', r.created_at) order by r.id)
        from tandem.delivery_replays r where r.delivery_id = d.id), '[]'::jsonb) as replays
      from tandem.deliveries d where d.id = $1::uuid and d.workspace_id = $2::uuid`;
  const { rows } = await sql.query<WholeDelivery>(queryOf(text, [deliveryId, workspaceId]));
  return rows[0];
}

/** How many deliveries a filter finds, up to and including one. */
export async function countDeliveries(sql: Sql, workspaceId: string, filter: DeliveryFilter): Promise<number> {
  const { where, values } = filterSql(workspaceId, filter);
  const { rows } = await sql.query<{ count: number }>(
    `select count(*)::integer as count from tandem.deliveries d where ${where}`,
    values,
  );
  return rows[0]?.count ?? 0;
}

/** Deliveries that a filter finds, oldest first from after `after`: so many, and not much more than so many bytes. */
export async function readDeliveries(
  sql: Sql,
  read: { workspaceId: string; filter: DeliveryFilter; after: string | null; limit: number; bytes: number },
): Promise<Omit<WholeDelivery, "replays">[]> {
  const { where, values } = filterSql(read.workspaceId, read.filter);
  const p = (offset: number): string => `$${values.length + offset}`;
  const text = `with next as (
        select d.id, sum(d.body_bytes) over (order by d.id) - d.body_bytes as before
        from tandem.deliveries d where ${where} and (${p(1)}::uuid is null or d.id > ${p(1)}) order by d.id limit ${p(2)}::integer)
      select ${wholeColumns} from next n join tandem.deliveries d on d.id = n.id where n.before < ${p(3)}::integer order by d.id`;
  const { rows } = await sql.query<Omit<WholeDelivery, "replays">>(
    queryOf(text, [...values, read.after, read.limit, read.bytes]),
  );
  return rows;
}

/** An id says when a delivery arrived: times are ranges of ids. */
function filterSql(workspaceId: string, filter: DeliveryFilter): { where: string; values: unknown[] } {
  const { workflowId, triggerId, outcome, reason, runId, from, to } = filter;
  const conditions: ReadonlyArray<readonly [unknown, (placeholder: string) => string]> = [
    [workspaceId, (p) => `d.workspace_id = ${p}::uuid`],
    [workflowId, (p) => `d.workflow_id = ${p}::uuid`],
    [triggerId, (p) => `d.trigger_id = ${p}::text`],
    [outcome, (p) => `d.outcome = ${p}::text`],
    [reason, (p) => `d.reason ->> 'code' = ${p}::text`],
    [runId, (p) => `d.run_id = ${p}::uuid`],
    [from && firstIdAt(from), (p) => `d.id >= ${p}::uuid`],
    [to && firstIdAt(to), (p) => `d.id < ${p}::uuid`],
  ];
  const given = conditions.filter(([value]) => value !== undefined);
  return {
    where: given.map(([, write], position) => write(`$${position + 1}`)).join(" and "),
    values: given.map(([value]) => value),
  };
}

function queryOf(text: string, values: unknown[]): Query {
  return { name: statementName(text), text, values };
}
