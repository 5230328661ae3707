-- A lane is what one object of one workspace has in one shard: lanes are read in turns, so that many
-- changes of one object keep none of another.
create index outbox_by_lane on tandem.outbox (shard, workspace_id, object, id);
drop index tandem.outbox_by_shard;

-- The runs that an event started when it was relayed.
alter table tandem.record_events add column run_ids uuid[] not null default '{}';

-- The record that a run's trigger gives.
alter table tandem.runs add column record_id uuid;
create index runs_by_record on tandem.runs (workspace_id, record_id, id desc) where record_id is not null;

-- What happened to a record since a workflow began to wait for it to settle: its first state, its last,
-- and what changed between them.
create table tandem.debounces (
  workflow_id uuid not null references tandem.workflows,
  record_id uuid not null,
  workspace_id uuid not null references tandem.workspaces,
  object text not null,
  before jsonb,
  after jsonb,
  changed_fields text[] not null,
  actor jsonb not null,
  -- Of the deepest of the writes.
  origin jsonb,
  -- Of the last event.
  event_id bigint not null,
  due_at timestamptz not null,
  -- It waits no longer than this, however often the record changes.
  latest_due_at timestamptz not null,
  primary key (workflow_id, record_id)
);
create index debounces_due on tandem.debounces (due_at);

-- Events that one run is to have as a list. A trigger collects in one at a time; a closed one waits for
-- its run to be made, and the next events begin another.
create table tandem.event_lists (
  id uuid primary key,
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  workspace_id uuid not null references tandem.workspaces,
  events integer not null,
  -- Of the deepest of the writes.
  origin jsonb,
  due_at timestamptz not null,
  -- It grows no longer than this.
  latest_due_at timestamptz not null,
  closed_at timestamptz
);
create unique index event_lists_one_open on tandem.event_lists (workflow_id, trigger_id) where closed_at is null;
create index event_lists_due on tandem.event_lists (due_at);

create table tandem.event_list_items (
  list_id uuid not null,
  event_id bigint not null,
  item jsonb not null,
  primary key (list_id, event_id)
);

-- Chains of runs that were stopped: of each chain a workflow has one run that says so, however many
-- events its last runs left.
create table tandem.loop_stops (
  root_run_id uuid not null,
  workflow_id uuid not null references tandem.workflows,
  run_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (root_run_id, workflow_id)
);
