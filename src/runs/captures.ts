import type { Sql } from "../sql.ts";

/** Somebody waits for requests of a webhook, to learn from them what its bodies look like. */
export interface Capture {
  readonly armedAt: Date;
  readonly until: Date;
  /** How many requests are wanted. */
  readonly wanted: number;
  /** Those that came, oldest first. */
  readonly deliveryIds: readonly string[];
}

interface Of {
  readonly workflowId: string;
  readonly triggerId: string;
}

const columns = `armed_at as "armedAt", until, wanted, delivery_ids as "deliveryIds"`;

/** Waits for the next `wanted` requests of a webhook, for `ms`. What was captured before is let go. */
export async function armCapture(sql: Sql, of: Of, { wanted, ms }: { wanted: number; ms: number }): Promise<Capture> {
  const { rows } = await sql.query<Capture>(
    `insert into tandem.captures (workflow_id, trigger_id, until, wanted)
     values ($1, $2, now() + make_interval(secs => $3::float8 / 1000), $4)
     on conflict (workflow_id, trigger_id) do update set armed_at = now(), until = excluded.until, wanted = excluded.wanted,
       delivery_ids = '{}'
     returning ${columns}`,
    [of.workflowId, of.triggerId, ms, wanted],
  );
  // Inserted or changed, there is one.
  return rows[0]!;
}

/** The webhook's last capture, under way or over. */
export async function findCapture(sql: Sql, { workflowId, triggerId }: Of): Promise<Capture | undefined> {
  const { rows } = await sql.query<Capture>(
    `select ${columns} from tandem.captures where workflow_id = $1 and trigger_id = $2`,
    [workflowId, triggerId],
  );
  return rows[0];
}

/** Adds a delivery to the webhook's capture. False: none is under way any more. */
export async function addToCapture(sql: Sql, { workflowId, triggerId }: Of, deliveryId: string): Promise<boolean> {
  const { rowCount } = await sql.query({
    name: "add_to_capture",
    text: `update tandem.captures set delivery_ids = delivery_ids || $3::uuid
      where workflow_id = $1::uuid and trigger_id = $2::text and until > now() and cardinality(delivery_ids) < wanted`,
    values: [workflowId, triggerId, deliveryId],
  });
  return rowCount === 1;
}
