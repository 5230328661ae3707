-- How often a connection is called. One row a connection: who asks for a moment takes the row's lock.
create table tandem.connection_rates (
  connection_id uuid primary key references tandem.connections on delete cascade,
  -- When the next call may go: moments up to here are given out.
  next_at timestamptz not null,
  -- When the next one who is sent away to come again is told to come.
  return_at timestamptz not null
);

-- Calls that are under way (`call`), of connections that take only so many at once, and calls that count for
-- their rate (`rate`), also for a while after. Who holds a place says so again and again; who died is not
-- waited for beyond `expires_at`.
create table tandem.connection_places (
  connection_id uuid not null references tandem.connections on delete cascade,
  kind text not null check (kind in ('call', 'rate')),
  -- 1 to the most that are allowed.
  place integer not null,
  holder uuid not null,
  expires_at timestamptz not null,
  primary key (connection_id, kind, place)
);
