import type { Sql } from "../sql.ts";

/** So many requests of a webhook within a window. */
export interface Rate {
  readonly requests: number;
  readonly windowMs: number;
}

/** A window is counted in so many parts: what was taken is given back a part after the window has passed. */
const parts = 20;

/**
 * Takes one request out of a webhook's rate; undefined when there was one, else in how many seconds
 * there may be. The row is the same for all gateways. In no window, wherever it begins, are there more
 * than `requests` (which a count by the clock's minutes, or a bucket that refills, would let through
 * twice over).
 */
export async function takeFromRate(
  sql: Sql,
  { workflowId, triggerId }: { workflowId: string; triggerId: string },
  { requests, windowMs }: Rate,
): Promise<number | undefined> {
  const partMs = windowMs / parts;
  const { rows } = await sql.query<{ taken: boolean }>({
    name: "take_from_rate",
    text: `with now as materialized (select floor(extract(epoch from clock_timestamp()) * 1000 / $4::float8)::bigint as part)
      insert into tandem.webhook_rates as r (workflow_id, trigger_id, window_ms, hits)
      select $1::uuid, $2::text, $3::integer, jsonb_build_object(now.part, 1) from now
      on conflict (workflow_id, trigger_id) do update set window_ms = excluded.window_ms,
        hits = ${keptHits} || jsonb_build_object(${newestPart}, coalesce((${keptHits} ->> ${newestPart})::integer, 0) + 1)
      where (select coalesce(sum(h.value::integer), 0) from jsonb_each_text(${keptHits}) h) < $5::integer
      returning true as taken`,
    values: [workflowId, triggerId, windowMs, partMs, requests],
  });
  return rows.length > 0 ? undefined : waitFor(sql, { workflowId, triggerId }, { requests, windowMs });
}

/** The part that the request counts in. */
const newestPart = "(select min(k) from jsonb_object_keys(excluded.hits) k)";
/** What counts still: none of it, where it was counted in parts of another length. */
const keptHits = `(case when r.window_ms = excluded.window_ms then (
    select coalesce(jsonb_object_agg(e.key, e.value), '{}'::jsonb) from jsonb_each(r.hits) e
    where e.key::bigint > ${newestPart}::bigint - ${parts + 1}) else '{}'::jsonb end)`;

/** Seconds until the oldest requests that count do not count any more. */
async function waitFor(
  sql: Sql,
  { workflowId, triggerId }: { workflowId: string; triggerId: string },
  { windowMs }: Rate,
): Promise<number> {
  const partMs = windowMs / parts;
  const { rows } = await sql.query<{ ms: number }>({
    name: "wait_for_rate",
    text: `select coalesce(min((h.key::bigint + ${parts + 1}) * $3::float8 - extract(epoch from clock_timestamp()) * 1000), 0)::float8 as ms
      from tandem.webhook_rates r cross join jsonb_object_keys(r.hits) h(key)
      where r.workflow_id = $1::uuid and r.trigger_id = $2::text
        and (h.key::bigint + ${parts + 1}) * $3::float8 > extract(epoch from clock_timestamp()) * 1000`,
    values: [workflowId, triggerId, partMs],
  });
  return Math.max(1, Math.ceil((rows[0]?.ms ?? 0) / 1_000));
}
