-- Secrets: seen once, when they are written. What is kept of a value is sealed under a key of its own,
-- and that key under the installation's master key, which is in no database (src/vault/envelope.ts).

-- One row: which master key the values are sealed with. It tells nothing of the key itself.
create table tandem.master_key (
  id text not null check (id ~ '^[0-9a-f]{16}$'),
  singleton boolean primary key default true check (singleton)
);

create table tandem.secrets (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  name text not null,
  -- The version of the value that counts.
  version integer not null default 1,
  -- How the value ends; null where it is too short to show any of it.
  last_four text,
  created_at timestamptz not null default now(),
  rotated_at timestamptz,
  unique (workspace_id, name)
);

create table tandem.secret_values (
  secret_id uuid not null references tandem.secrets on delete cascade,
  version integer not null,
  master_key_id text not null,
  data_key bytea not null,
  sealed bytea not null,
  -- Until when the value before the one that counts is taken too; null: it is the one that counts.
  valid_until timestamptz,
  primary key (secret_id, version)
);
create unique index secret_values_one_counts on tandem.secret_values (secret_id) where valid_until is null;
create unique index secret_values_one_before on tandem.secret_values (secret_id) where valid_until is not null;
create index secret_values_by_master_key on tandem.secret_values (master_key_id);
create index secret_values_by_end on tandem.secret_values (valid_until) where valid_until is not null;
