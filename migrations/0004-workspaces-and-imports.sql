-- The order in which workspaces were made, whatever ids they were given and whatever the clock said. The
-- first one is the installation's own: its keys make the others.
alter table tandem.workspaces add column ordinal bigint generated always as identity;
create unique index workspaces_by_ordinal on tandem.workspaces (ordinal);

create index api_keys_by_workspace on tandem.api_keys (workspace_id, id);

-- Files on their way into an object's table. How far a file was read is noted in the transaction that
-- writes its rows, so that whoever sends it again goes on exactly there.
create table tandem.imports (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  object text not null,
  format text not null check (format in ('csv', 'json-lines')),
  -- How it is read and written: mapping, match fields, modes, conventions.
  settings jsonb not null,
  status text not null default 'waiting' check (status in ('waiting', 'completed', 'cancelled')),
  -- Of CSV, from its first row: { names, delimiter }. A file that begins otherwise is another one.
  header jsonb,
  -- Bytes and rows of the file that are done with, and the last of those bytes.
  byte_offset bigint not null default 0,
  row_number bigint not null default 0,
  tail bytea not null default '',
  created_count bigint not null default 0,
  updated_count bigint not null default 0,
  unchanged_count bigint not null default 0,
  refused_count bigint not null default 0,
  -- Who sends it now, for as long as the lease lasts.
  sender uuid,
  lease_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  ended_at timestamptz
);
create index imports_by_workspace on tandem.imports (workspace_id, id desc);
create index imports_by_age on tandem.imports (updated_at);

create table tandem.import_refusals (
  import_id uuid not null references tandem.imports on delete cascade,
  row_number bigint not null,
  code text not null,
  message text not null,
  issues jsonb not null default '[]',
  -- The row as it came: a list of texts, an object, or the text that could not be read.
  content jsonb not null,
  primary key (import_id, row_number)
);
