-- Triggers of active versions, with what each needs to start a run: whoever watches for something to
-- happen reads them here. A workflow's status says whether they are to be heeded.
create sequence tandem.trigger_revision;
create table tandem.triggers (
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  workspace_id uuid not null references tandem.workspaces,
  kind text not null,
  -- Its settings, with the workflow's settings put in and defaults filled in.
  settings jsonb not null,
  version_id uuid not null references tandem.workflow_versions,
  -- New with every change: what is kept in memory is kept by it.
  revision bigint not null default nextval('tandem.trigger_revision'),
  armed_at timestamptz not null default now(),
  primary key (workflow_id, trigger_id)
);
create index triggers_by_kind on tandem.triggers (kind, workspace_id);

insert into tandem.triggers (workflow_id, trigger_id, workspace_id, kind, settings, version_id)
select v.workflow_id, t ->> 'id', f.workspace_id, t ->> 'kind', t - 'id' - 'kind', v.id
from tandem.workflow_versions v
join tandem.workflows f on f.id = v.workflow_id
cross join jsonb_array_elements(v.definition -> 'triggers') t
where v.status = 'active';

alter table tandem.runs
  -- What becomes of the run where its concurrency key has no room: only the dispatcher judges it.
  add column when_busy text not null default 'queue' check (when_busy in ('queue', 'queue-latest', 'skip', 'replace')),
  -- Of a schedule: the moment it was meant for, and that of the last run before it that completed.
  add column scheduled_at timestamptz,
  add column last_success_at timestamptz,
  add column launched_by jsonb,
  -- Lists below `trigger` that are kept in pages; null: none.
  add column list_names text[];

-- Long lists that a run begins with, in pages, so that its row stays small. Read as `trigger.<name>`.
create table tandem.run_lists (
  run_id uuid not null,
  name text not null,
  page integer not null,
  items jsonb not null,
  primary key (run_id, name, page)
);
