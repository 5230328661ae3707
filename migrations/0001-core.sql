-- The installation's own schema: everything but records, which live in a schema per workspace.
create schema tandem;

-- One row. Its id prefixes task queues, schedules and launchers, so that two installations can share
-- a Temporal namespace.
create table tandem.installation (
  id text primary key check (id ~ '^[a-z0-9]{8}$'),
  singleton boolean not null default true unique check (singleton),
  created_at timestamptz not null default now()
);

create table tandem.workspaces (
  id uuid primary key,
  name text not null,
  schema_name text not null unique,
  time_zone text not null default 'UTC',
  currency text not null default 'EUR',
  run_limit integer not null default 100 check (run_limit >= 0),
  -- Rises with every change of objects or fields; a process that holds an older one reads again.
  metadata_version bigint not null default 1,
  schema_version integer not null default 0,
  created_at timestamptz not null default now()
);

create table tandem.api_keys (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  name text not null,
  hash bytea not null unique,
  last_four text not null,
  created_at timestamptz not null default now()
);

-- Objects and fields -------------------------------------------------------------------------

create table tandem.objects (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  name text not null,
  plural text not null,
  label text not null,
  label_plural text not null,
  table_name text not null,
  standard boolean not null default false,
  created_at timestamptz not null default now(),
  unique (workspace_id, name),
  unique (workspace_id, plural),
  unique (workspace_id, table_name)
);

create table tandem.fields (
  id uuid primary key,
  object_id uuid not null references tandem.objects,
  name text not null,
  label text not null,
  type text not null,
  column_name text not null,
  -- What the type needs: options of a select, the target of a relation, decimals of a number.
  settings jsonb not null default '{}',
  default_value jsonb,
  required boolean not null default false,
  is_unique boolean not null default false,
  standard boolean not null default false,
  position integer not null,
  created_at timestamptz not null default now(),
  unique (object_id, name),
  unique (object_id, column_name)
);

-- Workflows ------------------------------------------------------------------------------------

create table tandem.workflows (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  key text not null,
  name text not null,
  status text not null default 'draft' check (status in ('draft', 'active', 'inactive')),
  -- Values of the settings that the definition declares: they belong to the installation.
  settings jsonb not null default '{}',
  template text,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, key)
);

create table tandem.workflow_versions (
  id uuid primary key,
  workflow_id uuid not null references tandem.workflows,
  number integer not null,
  status text not null check (status in ('draft', 'active', 'archived')),
  definition jsonb not null,
  -- Defaults of its settings: what the installation set stands above them.
  setting_defaults jsonb not null default '{}',
  -- Compiled at activation and frozen (DURABILITY.md §9).
  plan jsonb,
  -- Rises with every change of a draft: its ETag.
  revision integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  activated_at timestamptz,
  unique (workflow_id, number)
);
create unique index workflow_versions_one_draft on tandem.workflow_versions (workflow_id) where status = 'draft';
create unique index workflow_versions_one_active on tandem.workflow_versions (workflow_id) where status = 'active';

-- A webhook trigger keeps its token for as long as the workflow has a trigger of that id.
create table tandem.webhooks (
  token text primary key,
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  created_at timestamptz not null default now(),
  unique (workflow_id, trigger_id)
);

-- Runs -----------------------------------------------------------------------------------------

create table tandem.runs (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  workflow_id uuid not null references tandem.workflows,
  version_id uuid not null references tandem.workflow_versions,
  status text not null default 'queued' check (status in
    ('queued', 'starting', 'running', 'waiting', 'completed', 'failed', 'cancelled', 'stopped-as-loop', 'skipped')),
  -- An attempt may commit only while the run is open and has the fence the attempt started with.
  fence integer not null default 1,
  -- { id, kind, ... } and what the trigger gives: what expressions read as `trigger`.
  trigger jsonb not null,
  settings jsonb not null default '{}',
  origin jsonb,
  depth smallint not null default 0,
  -- Lower goes first within a workflow: 0 resumed, 1 manual, 2 the rest.
  priority smallint not null default 2,
  concurrency_key text,
  concurrency_limit integer,
  -- Whether its concurrency key lets it go; null: not judged yet (only the dispatcher judges).
  ready boolean,
  lease_owner text,
  lease_until timestamptz,
  -- When a waiting run wants a slot again; null: when something else settles its wait.
  due_at timestamptz,
  cancel_requested_at timestamptz,
  stuck boolean not null default false,
  -- When the reconciler last compared it with Temporal.
  checked_at timestamptz,
  error jsonb,
  output jsonb,
  created_at timestamptz not null default now(),
  started_at timestamptz,
  ended_at timestamptz
) with (fillfactor = 70);

create index runs_ready on tandem.runs (workspace_id, workflow_id, priority, id) where status = 'queued' and ready;
create index runs_unjudged on tandem.runs (workspace_id, id) where status = 'queued' and ready is null;
create index runs_due on tandem.runs (workspace_id, due_at) where status = 'waiting' and due_at is not null;
create index runs_slots on tandem.runs (workspace_id, workflow_id) where status in ('starting', 'running');
create index runs_to_compare on tandem.runs ((coalesce(checked_at, started_at))) where status in ('running', 'waiting');
create index runs_ended on tandem.runs (ended_at) where ended_at is not null;
create index runs_keyed on tandem.runs (workspace_id, concurrency_key, id)
  where concurrency_key is not null and status in ('queued', 'starting', 'running', 'waiting');
create index runs_cancelling on tandem.runs (id)
  where cancel_requested_at is not null and status in ('queued', 'starting', 'running', 'waiting');
create index runs_by_workspace on tandem.runs (workspace_id, id desc);
create index runs_by_workflow on tandem.runs (workflow_id, id desc);

-- One row a step: the outcome that counts. Only ever inserted, never changed (DURABILITY.md §1, §2).
create sequence tandem.step_order;
create table tandem.step_results (
  run_id uuid not null,
  path text not null,
  kind text not null,
  status text not null check (status in ('done', 'failed', 'skipped', 'already-done', 'outcome-unknown')),
  outcome text,
  verdict jsonb not null,
  input jsonb,
  output jsonb,
  error jsonb,
  attempts integer not null default 1,
  lane text not null check (lane in ('quick', 'ordinary')),
  started_at timestamptz not null,
  ended_at timestamptz not null default clock_timestamp(),
  ordinal bigint not null default nextval('tandem.step_order'),
  kept_from uuid,
  primary key (run_id, path)
) partition by range (run_id);
create table tandem.step_results_rest partition of tandem.step_results default;

-- One row before each ordinary attempt, and one for a failed attempt in the quick lane. An attempt
-- counts against the user's retries only if the target answered, refused or timed out (§3).
create table tandem.step_attempts (
  run_id uuid not null,
  path text not null,
  number integer not null,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  counts boolean not null default false,
  error jsonb,
  primary key (run_id, path, number)
) partition by range (run_id);
create table tandem.step_attempts_rest partition of tandem.step_attempts default;

-- What goes to an outside system, stored before the first attempt: every attempt sends exactly this.
create table tandem.outside_calls (
  run_id uuid not null,
  path text not null,
  key text not null,
  request jsonb not null,
  -- What earlier attempts already got through, e.g. recipients that were accepted.
  progress jsonb not null default '{}',
  -- Set, and committed, before the bytes leave; cleared when the target has answered.
  sending_since timestamptz,
  primary key (run_id, path)
) partition by range (run_id);
create table tandem.outside_calls_rest partition of tandem.outside_calls default;

-- A wait is a row; whoever changes it from open settles it (§7).
create table tandem.waits (
  run_id uuid not null,
  id text not null,
  kind text not null check (kind in ('retry')),
  until timestamptz,
  created_at timestamptz not null default now(),
  settled_at timestamptz,
  -- When the run has read that it is settled: until then its doorbell is rung again.
  read_at timestamptz,
  rung_at timestamptz,
  primary key (run_id, id)
);
create index waits_unread on tandem.waits (settled_at) where settled_at is not null and read_at is null;

-- Whose turn it was last, by what takes turns.
create table tandem.rotations (
  workspace_id uuid not null references tandem.workspaces,
  key text not null,
  last_id uuid,
  primary key (workspace_id, key)
);

-- Deliveries -----------------------------------------------------------------------------------

create table tandem.deliveries (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  workflow_id uuid not null references tandem.workflows,
  trigger_id text not null,
  received_at timestamptz not null default now(),
  outcome text not null check (outcome in ('accepted', 'duplicate', 'refused')),
  status integer not null,
  reason jsonb,
  method text not null,
  headers jsonb not null,
  query jsonb not null,
  body bytea,
  body_bytes integer not null default 0,
  dedupe_key text,
  run_id uuid
);
create index deliveries_by_workspace on tandem.deliveries (workspace_id, id desc);

create table tandem.webhook_keys (
  workflow_id uuid not null,
  trigger_id text not null,
  key_hash bytea not null,
  run_id uuid not null,
  delivery_id uuid not null,
  created_at timestamptz not null default now(),
  primary key (workflow_id, trigger_id, key_hash)
);
create index webhook_keys_by_age on tandem.webhook_keys (created_at);

-- Record events ----------------------------------------------------------------------------------

-- A queue without a cursor: the relay deletes what it reads. The id is taken after the record's row
-- is locked, so for one record id order is the order of its changes (§10).
create sequence tandem.outbox_id;
create table tandem.outbox (
  id bigint primary key default nextval('tandem.outbox_id'),
  shard smallint not null,
  workspace_id uuid not null,
  object text not null,
  record_id uuid not null,
  kind text not null check (kind in ('created', 'updated', 'deleted', 'restored', 'destroyed')),
  before jsonb,
  after jsonb,
  changed_fields text[] not null default '{}',
  actor jsonb not null,
  -- { runId, workflowId, depth } of the run that wrote, or null.
  origin jsonb,
  created_at timestamptz not null default clock_timestamp()
);
create index outbox_by_shard on tandem.outbox (shard, id);

create table tandem.outbox_shards (shard smallint primary key);
insert into tandem.outbox_shards select generate_series(0, 15);

create table tandem.record_events (
  id bigint primary key,
  workspace_id uuid not null,
  object text not null,
  record_id uuid not null,
  kind text not null,
  before jsonb,
  after jsonb,
  changed_fields text[] not null,
  actor jsonb not null,
  origin jsonb,
  created_at timestamptz not null,
  relayed_at timestamptz not null default clock_timestamp()
);
create index record_events_by_record on tandem.record_events (workspace_id, record_id, id);

-- Processes and mail -----------------------------------------------------------------------------

create table tandem.workers (
  id text primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now(),
  state jsonb not null
);

create table tandem.mailbox_messages (
  id uuid primary key,
  received_at timestamptz not null default now(),
  message_id text,
  mail_from text not null,
  rcpt_to text[] not null,
  subject text not null default '',
  text_body text,
  html_body text,
  headers jsonb not null,
  raw bytea not null
);
