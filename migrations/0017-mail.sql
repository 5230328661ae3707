-- Who is told when workflows fail, and how often at most.
alter table tandem.workspaces
  add column alert_addresses text[] not null default '{}',
  add column alert_digest_minutes integer not null default 60 check (alert_digest_minutes between 5 and 10080);

-- When a failure was taken into account of its workflow's alerts; of what failed before, nobody is told.
alter table tandem.runs add column told_at timestamptz;
update tandem.runs set told_at = now() where status in ('failed', 'stopped-as-loop');
create index runs_untold on tandem.runs (workflow_id, ended_at)
  where told_at is null and status in ('failed', 'stopped-as-loop');

-- How a workflow that failed stands: one row, whatever happens, so that its failures are told once.
create table tandem.alerts (
  workflow_id uuid primary key references tandem.workflows,
  workspace_id uuid not null references tandem.workspaces,
  -- { since, failures, groups, … }: src/runs/alerts/alert.ts.
  state jsonb not null,
  open boolean not null default false,
  -- When it is looked at again though nothing failed; null: it need not be.
  review_at timestamptz
);
create index alerts_to_review on tandem.alerts (review_at) where review_at is not null;
create index alerts_by_workspace on tandem.alerts (workspace_id, workflow_id) where open;

-- Mails that tell of failures: written whole, under their Message-ID, with what they tell of.
create table tandem.alert_mails (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  workflow_id uuid not null references tandem.workflows,
  kind text not null check (kind in ('first', 'digest', 'resolved')),
  message_id text not null,
  recipients jsonb not null,
  subject text not null,
  body text not null,
  created_at timestamptz not null,
  -- When it is tried (again); null: it is over.
  due_at timestamptz,
  tries integer not null default 0,
  -- Recipients that the mail server is done with.
  progress jsonb not null default '{}',
  sent_at timestamptz,
  error jsonb
);
create index alert_mails_due on tandem.alert_mails (due_at) where due_at is not null;
create index alert_mails_by_workflow on tandem.alert_mails (workflow_id, id desc);
