-- Calls to the outside: which try marked the sending last, whether the call may be sent again where it was
-- not answered, and what a person said became of one whose outcome is not known.
alter table tandem.outside_calls
  -- Its name where people ask of it.
  add column id uuid,
  add column attempt integer not null default 0,
  add column repeatable boolean not null default false,
  add column settled_as text check (settled_as in ('done', 'not-done')),
  add column settled_at timestamptz,
  -- { kind, name, id } of the person's key, and what they noted.
  add column settled_by jsonb,
  add column note text;
-- Until now all of them were mails.
update tandem.outside_calls set repeatable = true;
create index outside_calls_in_doubt on tandem.outside_calls (id)
  where sending_since is not null and not repeatable and settled_at is null;

-- Which secrets a workflow may use: those that its active version names. Taken away when none does any more.
create table tandem.secret_grants (
  workflow_id uuid not null references tandem.workflows,
  name text not null,
  workspace_id uuid not null references tandem.workspaces,
  granted_at timestamptz not null default now(),
  primary key (workflow_id, name)
);
create index secret_grants_by_name on tandem.secret_grants (workspace_id, name);

-- What is done once under a value: for each step of a workflow and value whose it is, or what came of it.
-- It outlives the runs.
create table tandem.once_values (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  workflow_id uuid not null references tandem.workflows,
  step_id text not null,
  value text not null,
  -- What the Idempotency-Key is made of, with the generation: a rename of the step leaves it.
  seed text not null,
  -- Rises when it becomes certain that nothing was done under the key.
  generation integer not null default 1,
  -- held: by a step of a run. unsure: the target may have acted. done: with this output. free: nobody's.
  state text not null default 'free' check (state in ('free', 'held', 'unsure', 'done')),
  run_id uuid,
  path text,
  outcome text,
  output jsonb,
  lists jsonb,
  created_at timestamptz not null default now(),
  changed_at timestamptz not null default now(),
  unique (workflow_id, step_id, value)
);
create index once_values_by_workspace on tandem.once_values (workspace_id, id desc) where state <> 'free';
create index once_values_held on tandem.once_values (run_id) where state = 'held';

-- Where values went when a step got another id: runs of older versions go by the id that it had.
create table tandem.once_moves (
  workflow_id uuid not null references tandem.workflows,
  step_id text not null,
  moved_to text not null,
  primary key (workflow_id, step_id)
);

-- A step may wait for another run's, which holds the value.
alter table tandem.waits
  drop constraint waits_kind_check,
  add constraint waits_kind_check check (kind in ('retry', 'timer', 'question', 'call', 'slot', 'once')),
  add column once_id uuid;
create index waits_for_once on tandem.waits (once_id) where once_id is not null and settled_at is null;
