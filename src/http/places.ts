import { createId } from "../ids.ts";
import type { Sql } from "../sql.ts";

/** How long a place is held without a word from its holder: a process that died gives it up so. */
const heldMs = 12_000;
const renewMs = 3_000;
/** Two who look at once may look at the same free place: one of them looks again. */
const mostLooks = 5;

/** One of so many that a connection has. */
export interface Place {
  release(): Promise<void>;
}

export interface WantedPlace {
  readonly connectionId: string;
  readonly kind: "call" | "rate";
  /** How many there are. */
  readonly most: number;
  /** How long it stays taken once it is released. */
  readonly restMs: number;
}

const takeText = `with free as (
    select p from generate_series(1, $3::integer) p
    where not exists (select 1 from tandem.connection_places c
      where c.connection_id = $1::uuid and c.kind = $2::text and c.place = p and c.expires_at > clock_timestamp())
    order by random() limit 1),
  taken as (
    insert into tandem.connection_places as c (connection_id, kind, place, holder, expires_at)
    select $1::uuid, $2::text, p, $4::uuid, clock_timestamp() + $5::double precision * interval '1 ms' from free
    on conflict (connection_id, kind, place) do update set holder = excluded.holder, expires_at = excluded.expires_at
      where c.expires_at <= clock_timestamp()
    returning c.place)
  select exists (select 1 from free) as "wasFree", (select place from taken) as place`;

const holdText = `update tandem.connection_places set expires_at = clock_timestamp() + $5::double precision * interval '1 ms'
  where connection_id = $1::uuid and kind = $2::text and place = $3::integer and holder = $4::uuid`;

/** Takes a place, over all processes; undefined: none is free. */
export async function takePlace(
  sql: Sql,
  { connectionId, kind, most, restMs }: WantedPlace,
): Promise<Place | undefined> {
  const holder = createId();
  const untilDeadMs = heldMs + restMs;
  for (let look = 0; look < mostLooks; look++) {
    const { rows } = await sql.query<{ wasFree: boolean; place: number | null }>({
      name: "take_place",
      text: takeText,
      values: [connectionId, kind, most, holder, untilDeadMs],
    });
    const [found] = rows;
    if (found === undefined || !found.wasFree) return undefined;
    if (found.place === null) continue;
    const own = [connectionId, kind, found.place, holder];
    // Whoever lost it, by standing still for longer than it is held, goes on: the call is under way.
    const hold = (forMs: number) => sql.query({ name: "hold_place", text: holdText, values: [...own, forMs] });
    const renewing = setInterval(() => void hold(untilDeadMs).catch(() => {}), renewMs);
    return {
      async release() {
        clearInterval(renewing);
        // What was answered stays answered: a place that is not given back is free when its time is over.
        await hold(restMs).catch(() => {});
      },
    };
  }
  return undefined;
}
