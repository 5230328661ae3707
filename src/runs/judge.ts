import type { Sql } from "../sql.ts";
import { openStatuses, unendedStatuses } from "./ledger.ts";
import { judgeLine, type Standing, type Verdict } from "./line.ts";

/** New runs judged in one pass. */
const passSize = 5_000;

/** What a pass did. */
export interface Judged {
  /** Others may be there to be judged. */
  readonly more: boolean;
  /** The cancel of running ones was asked for: their workflows have to hear of it. */
  readonly cancelling: boolean;
}

/**
 * Decides for new runs with a concurrency key what becomes of them, in the order of their ids. Only under
 * the workspace's lock, so that nobody else decides meanwhile.
 */
export async function judgeKeys(sql: Sql, workspaceId: string): Promise<Judged> {
  const unjudged = await lockUnjudged(sql, workspaceId);
  if (unjudged.length === 0) return { more: false, cancelling: false };
  const standing = await readStanding(sql, workspaceId, unjudged);
  const lines = groupByKey([...standing, ...unjudged]);
  const verdicts = [...lines].flatMap(([key, runs]) => judgeLine(nameOf(key), runs));
  await carryOut(sql, verdicts);
  return {
    more: unjudged.length === passSize,
    cancelling: verdicts.some(({ kind }) => kind === "cancelled"),
  };
}

interface Keyed extends Standing {
  readonly key: string;
}

/**
 * Locked, so that a close which lets the head of a line be judged again comes either before what is read
 * next, and is seen there, or after the verdicts.
 */
async function lockUnjudged(sql: Sql, workspaceId: string): Promise<Keyed[]> {
  const { rows } = await sql.query<Keyed>({
    name: "lock_unjudged",
    text: `select id, concurrency_key as key, concurrency_limit as "limit", when_busy as "whenBusy", 'new' as place,
        false as started, false as cancelling
      from tandem.runs where workspace_id = $1::uuid and status = 'queued' and ready is null
      order by id limit ${passSize} for no key update`,
    values: [workspaceId],
  });
  return rows;
}

/** Of each key: who holds it, whom a newer one may push out, and as many of the line as could go now. */
async function readStanding(sql: Sql, workspaceId: string, unjudged: readonly Keyed[]): Promise<Keyed[]> {
  const keys = [...groupByKey(unjudged)].map(([key, runs]) => ({
    key,
    // Room for all at once, and for all whose places are taken from them.
    heads: 2 * Math.max(...runs.map(({ limit }) => limit)),
  }));
  const columns = "o.id, o.concurrency_limit, o.when_busy, o.status, o.ready, o.cancel_requested_at";
  const inLine = `o.workspace_id = $1::uuid and o.concurrency_key = k.key and o.status = 'queued'
          and o.ready is distinct from true and o.ready is not null`;
  const { rows } = await sql.query<Keyed>({
    name: "read_standing",
    text: `select k.key, s.id, s.concurrency_limit as "limit", s.when_busy as "whenBusy",
        case when s.ready then 'holds' else 'in-line' end as place, s.status <> 'queued' as started,
        s.cancel_requested_at is not null as cancelling
      from jsonb_to_recordset($2::jsonb) as k(key text, heads integer), lateral (
        select ${columns} from tandem.runs o where o.workspace_id = $1::uuid and o.concurrency_key = k.key
          and o.ready and o.status in ${unendedStatuses}
        union all
        select ${columns} from tandem.runs o where ${inLine} and o.when_busy in ('queue-latest', 'replace')
        union all
        (select ${columns} from tandem.runs o where ${inLine} and o.when_busy not in ('queue-latest', 'replace')
         order by o.id limit k.heads)
      ) s`,
    values: [workspaceId, JSON.stringify(keys)],
  });
  return rows;
}

function groupByKey(runs: readonly Keyed[]): Map<string, Keyed[]> {
  const groups = new Map<string, Keyed[]>();
  for (const run of runs) {
    const group = groups.get(run.key);
    if (group === undefined) groups.set(run.key, [run]);
    else group.push(run);
  }
  return groups;
}

/** What was closed or cancelled meanwhile stays so. */
async function carryOut(sql: Sql, verdicts: readonly Verdict[]): Promise<void> {
  await sql.query({
    name: "carry_out_verdicts",
    text: `update tandem.runs r set
        ready = case v.kind when 'goes' then true when 'waits' then false else r.ready end,
        status = case v.kind when 'skipped' then 'skipped' else r.status end,
        error = coalesce(v.reason, r.error),
        ended_at = case v.kind when 'skipped' then clock_timestamp() end,
        cancel_requested_at = case v.kind when 'cancelled' then now() else r.cancel_requested_at end,
        fence = r.fence + (v.kind = 'cancelled')::integer
      from jsonb_to_recordset($1::jsonb) as v(id uuid, kind text, reason jsonb)
      where r.id = v.id and (r.status = 'queued' and v.kind <> 'cancelled'
        or r.status in ${openStatuses} and v.kind = 'cancelled' and r.cancel_requested_at is null)`,
    values: [JSON.stringify(verdicts)],
  });
}

/** A key as its definition gave it: stored, its scope stands before it. */
function nameOf(key: string): string {
  return key.slice(key.indexOf(":") + 1);
}
