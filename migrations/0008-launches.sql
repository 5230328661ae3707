-- Launches of manual workflows, by the API or by signal: one row each, however often it is asked for.
create table tandem.launches (
  workflow_id uuid not null references tandem.workflows,
  -- Said by whoever launches, or made up for them. The same again is the same launch.
  launch_id text not null,
  -- As the API names it.
  id uuid not null unique,
  workspace_id uuid not null references tandem.workspaces,
  status text not null check (status in ('starting', 'started', 'cancelled', 'failed', 'refused')),
  launched_by jsonb not null,
  -- Of what was asked for: another launch under the same id is told apart by it.
  content_hash bytea,
  trigger_id text,
  -- What its runs are made of: the version and the values as they were when it was launched.
  version_id uuid references tandem.workflow_versions,
  settings jsonb,
  inputs jsonb,
  availability text,
  object text,
  -- Which records: { view } or { filter }, or those of the ids. Null where it concerns none.
  selection jsonb,
  ids uuid[],
  -- How many records were selected: for a view or filter an estimate until all of them were read.
  selected bigint,
  is_estimate boolean not null default false,
  -- The last record that was read, and how many were.
  cursor_id uuid,
  read_count bigint not null default 0,
  started_count bigint not null default 0,
  missing_count bigint not null default 0,
  missing_ids uuid[] not null default '{}',
  -- Of the one run that a launch makes which is not one for each record.
  run_id uuid,
  error jsonb,
  created_at timestamptz not null default now(),
  -- When its next records are to be read.
  due_at timestamptz not null default now(),
  ended_at timestamptz,
  primary key (workflow_id, launch_id)
);
create index launches_due on tandem.launches (due_at) where status = 'starting';
create index launches_by_workflow on tandem.launches (workflow_id, id desc);
create index launches_ended on tandem.launches (ended_at) where ended_at is not null;
create index runs_by_launch on tandem.runs ((launched_by ->> 'launch'), status) where launched_by is not null;

-- The workflow in Temporal that hears the signals of each workflow with a manual trigger.
create table tandem.launchers (
  workflow_id uuid primary key references tandem.workflows,
  -- Its id in Temporal.
  launcher_id text not null,
  -- When it was last seen to be there; null: it is to be looked at now.
  checked_at timestamptz
);
create index launchers_by_check on tandem.launchers (checked_at nulls first);
