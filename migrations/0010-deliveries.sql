-- A webhook may have several addresses: the current one, and older ones until they expire.
alter table tandem.webhooks drop constraint webhooks_workflow_id_trigger_id_key;
alter table tandem.webhooks add column expires_at timestamptz;
create unique index webhooks_current on tandem.webhooks (workflow_id, trigger_id) where expires_at is null;

-- `answered`: a challenge or a HEAD; `captured`: kept for its structure. Neither starts anything.
alter table tandem.deliveries drop constraint deliveries_outcome_check;
alter table tandem.deliveries add constraint deliveries_outcome_check
  check (outcome in ('accepted', 'duplicate', 'refused', 'answered', 'captured'));
-- The sender's address, behind trusted proxies the one that they say.
alter table tandem.deliveries add column ip text;
create index deliveries_by_workflow on tandem.deliveries (workflow_id, id desc);
create index deliveries_by_run on tandem.deliveries (run_id, id desc) where run_id is not null;

-- Requests of a webhook with a limit: how many in each twentieth of its window, by the twentieth's number.
create table tandem.webhook_rates (
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  window_ms integer not null,
  hits jsonb not null,
  primary key (workflow_id, trigger_id)
) with (fillfactor = 50);

-- "Capture the next requests": whose bodies a structure is proposed from.
create table tandem.captures (
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  armed_at timestamptz not null default now(),
  until timestamptz not null,
  wanted integer not null,
  delivery_ids uuid[] not null default '{}',
  primary key (workflow_id, trigger_id)
);

-- Replays of many deliveries, worked off by the gateways, oldest delivery first.
create table tandem.replays (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  filter jsonb not null,
  -- Also deliveries whose sender was not authenticated.
  force boolean not null,
  status text not null default 'running' check (status in ('running', 'finished', 'cancelled')),
  total integer not null,
  started integer not null default 0,
  refused integer not null default 0,
  -- The last delivery that is done.
  done_through uuid,
  claimed_until timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz
);
create index replays_running on tandem.replays (id) where status = 'running';
create index replays_by_workspace on tandem.replays (workspace_id, id desc);

-- What became of a delivery that was replayed: a run, or the reason why there is none.
create table tandem.delivery_replays (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  delivery_id uuid not null references tandem.deliveries on delete cascade,
  -- Null: it was replayed by itself.
  replay_id uuid references tandem.replays,
  run_id uuid,
  reason jsonb,
  created_at timestamptz not null default now(),
  -- However often a gateway is killed: one replay starts one run of a delivery.
  unique (replay_id, delivery_id)
);
create index delivery_replays_by_delivery on tandem.delivery_replays (delivery_id, id);
