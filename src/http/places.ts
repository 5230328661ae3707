import { createId } from "../ids.ts";
import type { Sql } from "../sql.ts";

/** How long a place is held without a word from its holder: a process that died gives it up so. */
const heldMs = 12_000;
const renewMs = 3_000;

/** One of the calls that a connection takes at once. */
export interface Place {
  release(): Promise<void>;
}

const takeText = `with free as (
    select p from generate_series(1, $2::integer) p
    where not exists (select 1 from tandem.connection_places c
      where c.connection_id = $1::uuid and c.place = p and c.expires_at > clock_timestamp())
    order by random() limit 1)
  insert into tandem.connection_places as c (connection_id, place, holder, expires_at)
  select $1::uuid, p, $3::uuid, clock_timestamp() + ${heldMs} * interval '1 ms' from free
  on conflict (connection_id, place) do update set holder = excluded.holder, expires_at = excluded.expires_at
    where c.expires_at <= clock_timestamp()
  returning c.place`;

/** Takes one of a connection's places, over all processes; undefined: none is free, or another was faster. */
export async function takePlace(
  sql: Sql,
  { connectionId, most }: { connectionId: string; most: number },
): Promise<Place | undefined> {
  const holder = createId();
  const { rows } = await sql.query<{ place: number }>({
    name: "take_place",
    text: takeText,
    values: [connectionId, most, holder],
  });
  const [taken] = rows;
  if (taken === undefined) return undefined;
  const own = [connectionId, taken.place, holder];
  // Whoever lost it, by standing still for longer than it is held, goes on: the call is under way.
  const renewing = setInterval(
    () =>
      void sql
        .query(
          `update tandem.connection_places set expires_at = clock_timestamp() + ${heldMs} * interval '1 ms'
           where connection_id = $1::uuid and place = $2::integer and holder = $3::uuid`,
          own,
        )
        .catch(() => {}),
    renewMs,
  );
  return {
    async release() {
      clearInterval(renewing);
      await sql.query(
        "delete from tandem.connection_places where connection_id = $1::uuid and place = $2::integer and holder = $3::uuid",
        own,
      );
    },
  };
}
