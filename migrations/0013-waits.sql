-- What runs wait for: the next try of a step, a moment, a person's answer, the end of a run that they
-- called, or a slot, where steps beside one another gave the run's back.
alter table tandem.waits
  drop constraint waits_kind_check,
  add constraint waits_kind_check check (kind in ('retry', 'timer', 'question', 'call', 'slot')),
  -- From when on it may be settled: its moment, or when that happened which it is for; null: not known yet.
  add column due_at timestamptz,
  -- Other steps of the run may be at work meanwhile: it is settled while the run holds its slot, too.
  add column beside boolean not null default false;
update tandem.waits set due_at = until where settled_at is null;
create index waits_open on tandem.waits (run_id) where settled_at is null;
create index waits_due on tandem.waits (due_at) where settled_at is null and beside;

-- Runs that steps of other runs started: one for each step, however often it is tried.
alter table tandem.runs
  add column caller_run_id uuid,
  add column caller_path text,
  -- The step waits for its end.
  add column caller_waits boolean not null default false,
  add column caller_told boolean not null default false,
  -- It starts in the slot that its caller gave up for it.
  add column inherits_slot boolean not null default false;
create unique index runs_called on tandem.runs (caller_run_id, caller_path) where caller_run_id is not null;
create index runs_called_open on tandem.runs (caller_run_id)
  where caller_waits and status in ('queued', 'starting', 'running', 'waiting');
create index runs_to_tell on tandem.runs (ended_at) where caller_waits and not caller_told and ended_at is not null;
create index runs_inheriting on tandem.runs (workspace_id, id) where status = 'queued' and ready and inherits_slot;

-- What people are asked. Whoever changes the state from open has answered.
create table tandem.questions (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  run_id uuid not null,
  path text not null,
  state text not null default 'open' check (state in ('open', 'answered', 'timed-out', 'closed')),
  title text not null,
  details text,
  -- Addresses of those who are asked.
  assignees text[] not null default '{}',
  -- { kind: approval | fields | schema, … }
  form jsonb not null,
  deadline timestamptz,
  answer jsonb,
  -- { kind, name } of who answered.
  answered_by jsonb,
  answered_at timestamptz,
  -- Mails that tell of it: how many went out, how long until the next, and when that is due.
  mails integer not null default 0,
  -- Whom the mails under way have reached.
  mail_progress jsonb not null default '{}',
  remind_ms bigint,
  mail_due_at timestamptz,
  created_at timestamptz not null default now(),
  unique (run_id, path)
);
create index questions_open on tandem.questions (workspace_id, id desc) where state = 'open';
create index questions_of_runs on tandem.questions (run_id) where state = 'open';
create index questions_to_mail on tandem.questions (mail_due_at) where state = 'open' and mail_due_at is not null;

-- What a run answers to the sender of its webhook, while that waits.
create table tandem.run_answers (
  run_id uuid primary key,
  path text not null,
  status integer not null,
  headers jsonb not null,
  body text not null,
  created_at timestamptz not null default now()
);

-- What this installation signs with, to know again what it said itself.
alter table tandem.installation
  add column signing_key bytea not null
    default sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8'));
