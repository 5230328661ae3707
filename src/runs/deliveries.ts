import { createHash } from "node:crypto";
import type { Issue } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { createStatement, sqlState, type Sql, type Statement } from "../sql.ts";
import { addRuns, type NewRun } from "./enqueue.ts";

/** One request that arrived at a webhook, as the delivery log keeps it. */
export interface NewDelivery {
  readonly id: string;
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly triggerId: string;
  readonly method: string;
  /** Lower-case names, without what authenticates the sender. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query: JsonObject;
  /** The bytes as received; null where they were not read to the end. */
  readonly body: Buffer | null;
  /** The sender's address. */
  readonly ip: string | null;
}

/** What there is to say of a delivery: why it was refused, or what did not go as it should. */
export interface Reason {
  readonly code: string;
  readonly detail: string;
  readonly issues: readonly Issue[];
}

/** A delivery with the run that it starts. */
export interface Accepted {
  readonly delivery: NewDelivery;
  readonly run: NewRun;
  /** What the sender's header or body said. */
  readonly dedupeKey: string | undefined;
  /** What is to be said of it nevertheless. */
  readonly reason?: Reason | undefined;
}

/** What became of an accepted delivery: its own run, or the run that the same key started before. */
export interface Acceptance {
  readonly runId: string;
  readonly deliveryId: string;
  readonly duplicate: boolean;
}

const columns =
  "id, workspace_id, workflow_id, trigger_id, outcome, status, reason, method, headers, query, body, body_bytes, dedupe_key, run_id, ip";
const window = "interval '7 days'";

/**
 * Commits a delivery, its run and, where there is one, its dedupe key as one statement. When the key
 * started a run within the last seven days, the delivery is kept as a duplicate of that run instead.
 */
export async function acceptDelivery(sql: Sql, accepted: Accepted): Promise<Acceptance> {
  const { delivery, run, dedupeKey } = accepted;
  if (dedupeKey === undefined) {
    await insertAccepted(sql, accepted);
    return { runId: run.id, deliveryId: delivery.id, duplicate: false };
  }
  // The key is a plain insert, so that of many at once one commits and the others roll back whole;
  // what they lost against is read by a new statement, which sees it. A key that has expired since is
  // taken away and the insert tried again.
  for (;;) {
    try {
      await insertAccepted(sql, accepted);
      return { runId: run.id, deliveryId: delivery.id, duplicate: false };
    } catch (error) {
      if (sqlState(error)?.constraint !== "webhook_keys_pkey") throw error;
    }
    const first = await insertDuplicate(sql, delivery, dedupeKey);
    if (first !== undefined) return { runId: first, deliveryId: delivery.id, duplicate: true };
    await dropExpiredKey(sql, delivery, dedupeKey);
  }
}

/** What became of a delivery that starts nothing. */
export interface Kept {
  readonly outcome: "refused" | "answered" | "captured";
  /** What was answered. */
  readonly status: number;
  readonly reason?: Reason | undefined;
  /** Where the body was not kept whole. */
  readonly bodyBytes?: number;
}

/** Keeps a delivery that starts nothing. It takes no dedupe key: a corrected one may follow. */
export async function keepDelivery(sql: Sql, delivery: NewDelivery, kept: Kept): Promise<void> {
  const statement = createStatement();
  addDelivery(statement, delivery, { ...kept, dedupeKey: null, run: "null::uuid" });
  await execute(sql, statement, "select 1");
}

async function insertAccepted(sql: Sql, { delivery, run: newRun, dedupeKey, reason }: Accepted): Promise<void> {
  const statement = createStatement();
  const p = statement.param;
  addRuns(statement, [newRun]);
  addDelivery(statement, delivery, {
    outcome: "accepted",
    status: 202,
    reason,
    dedupeKey: dedupeKey ?? null,
    run: p(newRun.id, "uuid"),
  });
  if (dedupeKey !== undefined) {
    statement.with(
      "key",
      `insert into tandem.webhook_keys (workflow_id, trigger_id, key_hash, run_id, delivery_id)
       values (${p(delivery.workflowId, "uuid")}, ${p(delivery.triggerId, "text")}, ${p(hashKey(dedupeKey), "bytea")},
         ${p(newRun.id, "uuid")}, ${p(delivery.id, "uuid")})`,
    );
  }
  await execute(sql, statement, "select 1");
}

/** The run that the key started, with the delivery kept beside it; undefined when the key is gone or too old. */
async function insertDuplicate(sql: Sql, delivery: NewDelivery, dedupeKey: string): Promise<string | undefined> {
  const statement = createStatement();
  const p = statement.param;
  statement.with(
    "first",
    `select k.run_id from tandem.webhook_keys k
     where k.workflow_id = ${p(delivery.workflowId, "uuid")} and k.trigger_id = ${p(delivery.triggerId, "text")}
       and k.key_hash = ${p(hashKey(dedupeKey), "bytea")} and k.created_at > now() - ${window}`,
  );
  addDelivery(statement, delivery, { outcome: "duplicate", status: 202, dedupeKey, run: "f.run_id", from: "first f" });
  const rows = await execute<{ runId: string }>(sql, statement, `select run_id as "runId" from first`);
  return rows[0]?.runId;
}

async function dropExpiredKey(sql: Sql, delivery: NewDelivery, dedupeKey: string): Promise<void> {
  await sql.query(
    `delete from tandem.webhook_keys k where k.workflow_id = $1::uuid and k.trigger_id = $2::text and k.key_hash = $3::bytea
       and k.created_at <= now() - ${window}`,
    [delivery.workflowId, delivery.triggerId, hashKey(dedupeKey)],
  );
}

interface Fate extends Omit<Kept, "outcome"> {
  readonly outcome: Kept["outcome"] | "accepted" | "duplicate";
  readonly dedupeKey: string | null;
  /** SQL of the run's id. */
  readonly run: string;
  /** CTE that must have a row. */
  readonly from?: string;
}

function addDelivery(statement: Statement, delivery: NewDelivery, fate: Fate): void {
  const p = statement.param;
  statement.with(
    "delivery",
    `insert into tandem.deliveries (${columns})
     select ${p(delivery.id, "uuid")}, ${p(delivery.workspaceId, "uuid")}, ${p(delivery.workflowId, "uuid")},
       ${p(delivery.triggerId, "text")}, ${p(fate.outcome, "text")}, ${p(fate.status, "integer")}, ${p(fate.reason ?? null, "jsonb")},
       ${p(delivery.method, "text")}, ${p(delivery.headers, "jsonb")}, ${p(delivery.query, "jsonb")}, ${p(delivery.body, "bytea")},
       ${p(fate.bodyBytes ?? delivery.body?.length ?? 0, "integer")}, ${p(fate.dedupeKey, "text")}, ${fate.run}, ${p(delivery.ip, "text")}
     ${fate.from === undefined ? "" : `from ${fate.from}`}`,
  );
}

async function execute<Row extends object>(sql: Sql, statement: Statement, select: string): Promise<Row[]> {
  const { rows } = await sql.query<Row>(statement.query(select));
  return rows;
}

function hashKey(dedupeKey: string): Buffer {
  return createHash("sha256").update(dedupeKey).digest();
}
