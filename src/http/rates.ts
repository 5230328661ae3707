import type { Sql } from "../sql.ts";

/** How often a target may be called. */
export interface Rate {
  readonly requests: number;
  readonly perMs: number;
}

/** `go`: at this moment. `return`: there is no moment near; come again then. Both as milliseconds from now. */
export interface Turn {
  readonly kind: "go" | "return";
  readonly inMs: number;
}

/** A moment further ahead than this is not waited for by who holds a run's slot. */
export const longestWaitMs = 2_000;
/** Who was sent away comes back so long before its turn: then somebody is there when a moment is free. */
const earlyMs = 1_000;
/** A moment that was free for so long shows that nobody else is waiting, whoever was told to come. */
const idleMs = 500;
/** The tail of the queue may have been made under another rate, or by who is not coming any more. */
const longestReturnMs = 600_000;
const shortestReturnMs = 250;

/** Calls keep a little more than their distance: no clock is as even as it is meant to be. */
const spread = 1.02;

// No moment is further ahead than the last that is given out under this rate: one that is was made under another.
const turnText = `with own as (
    select least(r.next_at, clock_timestamp() + ($2::double precision + $3::double precision) * interval '1 ms') as next_at, r.return_at, clock_timestamp() as now from tandem.connection_rates r
    where r.connection_id = $1::uuid for update),
  judged as (
    select o.now, o.next_at, greatest(o.next_at, o.now) as moment, greatest(o.return_at, o.next_at, o.now) as tail,
      greatest(o.next_at, o.now) <= o.now + $3::double precision * interval '1 ms'
        and ($4::boolean or o.return_at <= o.now + $3::double precision * interval '1 ms'
          or o.next_at <= o.now - ${idleMs} * interval '1 ms') as goes
    from own o),
  turn as (
    select j.*, case when j.goes or $4::boolean then j.moment else j.tail end as at from judged j)
  update tandem.connection_rates c set
    next_at = case when t.goes then t.moment + $2::double precision * interval '1 ms' else t.next_at end,
    return_at = case when t.goes and not $4::boolean then t.moment + $2::double precision * interval '1 ms'
      when t.goes or $4::boolean then c.return_at else t.tail + $2::double precision * interval '1 ms' end
  from turn t where c.connection_id = $1::uuid
  returning t.goes, (extract(epoch from t.at - t.now) * 1000)::double precision as "inMs"`;

/**
 * Takes the next free moment for a call of the connection, in all processes each at its distance from the
 * one before (DURABILITY.md §12). Where it lies too far ahead nothing is taken, and the caller is told when
 * to come again; who comes `again` goes before those who have not waited.
 */
export async function takeTurn(
  sql: Sql,
  { connectionId, rate, again }: { connectionId: string; rate: Rate; again: boolean },
): Promise<Turn> {
  const distanceMs = (rate.perMs / rate.requests) * spread;
  const values = [connectionId, distanceMs, longestWaitMs, again];
  const take = () => sql.query<{ goes: boolean; inMs: number }>({ name: "take_turn", text: turnText, values });
  let { rows } = await take();
  if (rows.length === 0) {
    await sql.query(
      `insert into tandem.connection_rates (connection_id, next_at, return_at) values ($1::uuid, now(), now())
       on conflict (connection_id) do nothing`,
      [connectionId],
    );
    ({ rows } = await take());
  }
  const [turn] = rows;
  if (turn === undefined) throw new Error(`Connection ${connectionId} is gone.`);
  if (turn.goes) return { kind: "go", inMs: Math.max(turn.inMs, 0) };
  return { kind: "return", inMs: Math.min(Math.max(turn.inMs - earlyMs, shortestReturnMs), longestReturnMs) };
}
