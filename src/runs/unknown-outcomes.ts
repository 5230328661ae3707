import { ProblemError } from "../errors.ts";
import type { Json } from "../json.ts";
import { inTransaction, type Sql, type SqlPool } from "../sql.ts";
import { shownForm } from "../vault/stored-form.ts";
import { settleOnce, wakeOnce } from "./once/settle.ts";
import { settleCall, type CallSettlement } from "./outside-calls.ts";

/** A call of which nobody knows whether the target acted. */
export interface UnknownOutcome {
  readonly id: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  /** The step's path in the run. */
  readonly path: string;
  /** The kind of step; null: the run ended while it was under way. */
  readonly kind: string | null;
  readonly sentAt: string;
  /** What was sent, with names in the place of secrets. */
  readonly request: Json;
  /** The Idempotency-Key that went along. */
  readonly key: string;
  /** Why it is not known; null: the run ended while it was under way. */
  readonly error: Json;
  /** The value under which it is done once, if it is. */
  readonly once: { readonly id: string; readonly value: string } | null;
}

/** What a person found out. */
export interface Settlement extends CallSettlement {
  /** What the step would have given; of one that is done once, what it answers with from now on. */
  readonly output: Json;
}

type Row = Omit<UnknownOutcome, "sentAt"> & { readonly sentAt: Date };

const selectText = `select c.id, c.run_id as "runId", c.path, r.workflow_id as "workflowId", f.key as "workflowKey", s.kind,
    c.sending_since as "sentAt", c.request, c.key, s.error,
    (select jsonb_build_object('id', o.id, 'value', o.value) from tandem.once_values o
      where o.run_id = c.run_id and o.path = c.path and o.state in ('held', 'unsure') limit 1) as once
  from tandem.outside_calls c join tandem.runs r on r.id = c.run_id join tandem.workflows f on f.id = r.workflow_id
  left join tandem.step_results s on s.run_id = c.run_id and s.path = c.path
  where r.workspace_id = $1::uuid and c.sending_since is not null and not c.repeatable and c.settled_at is null
    and (s.status = 'outcome-unknown' or (s.path is null and r.ended_at is not null))`;

/** A workspace's calls of unknown outcome, newest first; `before` is the id of the last of the page before. */
export async function listUnknownOutcomes(
  sql: Sql,
  query: { workspaceId: string; workflowId?: string | undefined; before?: string | undefined; limit: number },
): Promise<UnknownOutcome[]> {
  const { rows } = await sql.query<Row>({
    name: "list_unknown_outcomes",
    text: `${selectText} and ($2::uuid is null or c.id < $2) and ($3::uuid is null or r.workflow_id = $3)
      order by c.id desc limit $4::integer`,
    values: [query.workspaceId, query.before ?? null, query.workflowId ?? null, query.limit],
  });
  return rows.map(toUnknown);
}

/**
 * Keeps what a person found out of a call: it is listed no more, and the value under which it is done once is
 * done or free. What the run made of it stays. Throws ProblemError 404.
 */
export async function settleUnknown(
  pool: SqlPool,
  { workspaceId, id }: { workspaceId: string; id: string },
  settlement: Settlement,
): Promise<UnknownOutcome> {
  const settled = await inTransaction(pool, async (sql) => {
    const { rows } = await sql.query<Row>(`${selectText} and c.id = $2::uuid for update of c`, [workspaceId, id]);
    const row = rows[0];
    if (row === undefined)
      throw new ProblemError(
        404,
        "outcome-not-found",
        `There is no call of unknown outcome ${id}: it was settled, or its run is forgotten.`,
      );
    await settleCall(sql, row, settlement);
    if (row.once !== null) await settleOnce(sql, row.once.id, settlement);
    return row;
  });
  if (settled.once !== null) await wakeOnce(pool, settled.once.id);
  return toUnknown(settled);
}

function toUnknown(row: Row): UnknownOutcome {
  return { ...row, sentAt: row.sentAt.toISOString(), request: shownForm(row.request) };
}
