-- What is known of each schedule trigger beside its settings. Its row stays when the workflow is
-- deactivated: a pause outlives that.
create table tandem.schedules (
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  workspace_id uuid not null references tandem.workspaces,
  paused boolean not null default false,
  note text,
  -- Rises with each pause and resume that is asked for here. Temporal's state is taken over, as that of
  -- somebody who used its Web UI, only where the last one was brought about there.
  asked integer not null default 0,
  brought integer not null default 0,
  -- Its id in Temporal; null: it is not there.
  temporal_id text unique,
  -- Digests of what was asked of Temporal last, and of what Temporal made of it: another is somebody's edit.
  wanted text,
  described text,
  -- Its next moments, as Temporal listed them last.
  next_at timestamptz[] not null default '{}',
  -- Moments up to here have a row in firings, or were not meant to have one.
  accounted_until timestamptz not null default now(),
  -- What keeps it from being in Temporal as it should.
  trouble text,
  primary key (workflow_id, trigger_id)
);

-- Each moment of a schedule once: with its run, or without one because it was missed.
create table tandem.firings (
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  at timestamptz not null,
  workspace_id uuid not null references tandem.workspaces,
  run_id uuid,
  -- Whether its run completed. What run.lastSuccess reads; runs are forgotten sooner.
  completed boolean not null default false,
  created_at timestamptz not null default now(),
  primary key (workflow_id, trigger_id, at)
);
create index firings_completed on tandem.firings (workflow_id, trigger_id, at) where completed;
create index firings_missed on tandem.firings (workflow_id, trigger_id, at) where run_id is null;
create index firings_old on tandem.firings (at);

-- What only a worker can do, since it asks Temporal: to list the moments of a schedule that is
-- considered, or to start the runs of a time that is past.
create table tandem.schedule_wishes (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  kind text not null check (kind in ('preview', 'backfill')),
  -- Of a backfill.
  workflow_id uuid references tandem.workflows,
  trigger_id text,
  request jsonb not null,
  status text not null default 'waiting' check (status in ('waiting', 'done', 'failed')),
  answer jsonb,
  claimed_until timestamptz,
  created_at timestamptz not null default now(),
  ended_at timestamptz
);
create index schedule_wishes_waiting on tandem.schedule_wishes (created_at) where status = 'waiting';
