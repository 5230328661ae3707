-- Connections, tokens, keys of the API, the audit.

-- What a master key is turned for another in: only the key that a value is sealed with is sealed anew. The
-- value stays as it is, bound to the master key under which it was sealed first.
alter table tandem.secret_values add column sealed_under text;
update tandem.secret_values set sealed_under = master_key_id;
alter table tandem.secret_values alter column sealed_under set not null;

-- Outside APIs that steps name by key. What is secret of them stands here by its name.
create table tandem.connections (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  -- What definitions name; for life.
  key text not null,
  name text not null,
  base_url text not null,
  -- { kind, … }: by which header, query or grant, and the names of the secrets.
  authentication jsonb not null,
  headers jsonb not null default '{}',
  -- PEM: whom it trusts besides those that Node trusts.
  certificate_authority text,
  -- { requests, perMs, concurrent }
  rate jsonb,
  -- Private hosts and hosts without TLS that it may reach: `host` or `host:port`.
  allowed_hosts text[] not null default '{}',
  allow_http boolean not null default false,
  honours_idempotency_key boolean not null default false,
  -- Rises with each change.
  revision integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (workspace_id, key)
);

-- Tokens of OAuth2 that connections got, sealed like secrets.
create table tandem.connection_tokens (
  connection_id uuid primary key references tandem.connections on delete cascade,
  -- Rises with each renewal.
  version integer not null,
  master_key_id text not null,
  data_key bytea not null,
  sealed bytea not null,
  sealed_under text not null,
  -- Null: the server did not say.
  expires_at timestamptz,
  renewed_at timestamptz not null default now()
);
create index connection_tokens_by_master_key on tandem.connection_tokens (master_key_id);

-- Who is getting a new token now, so that nobody else does.
create table tandem.connection_renewals (
  connection_id uuid primary key references tandem.connections on delete cascade,
  claim uuid not null,
  until timestamptz not null
);

-- Keys that the installation made for itself, by what they are for, sealed like secrets.
create table tandem.installation_keys (
  purpose text primary key,
  master_key_id text not null,
  data_key bytea not null,
  sealed bytea not null,
  sealed_under text not null
);

-- Keys of before stay what they were: they may everything, and are kept as a plain hash.
alter table tandem.api_keys
  -- How the key begins: `tandem_` and eight characters, by which people and logs name it.
  add column prefix text,
  add column role text not null default 'admin' check (role in ('viewer', 'editor', 'admin')),
  -- Null: all that its role may.
  add column scopes text[],
  -- Null: never.
  add column expires_at timestamptz,
  -- Written at most once a minute.
  add column last_used_at timestamptz;

-- One row a call that may change something.
create table tandem.audit (
  id uuid primary key,
  workspace_id uuid not null references tandem.workspaces,
  at timestamptz not null default now(),
  -- { kind, id, name }
  actor jsonb not null,
  -- As the API's document names it: `POST /api/workflows/{id}/activate`.
  action text not null,
  -- The path that was asked for.
  target text not null,
  -- Sent with the request, or made for it; answered in X-Request-Id.
  request_id text not null,
  ip text,
  -- Null: the process ended before it knew.
  outcome text check (outcome in ('done', 'refused', 'failed')),
  status integer,
  -- Of what was refused.
  code text,
  -- SHA-256 of what a reader saw of the target before and after; null: there was nothing, or nobody looked.
  before_digest bytea,
  after_digest bytea,
  -- Names of what differs between the two.
  changed text[]
);
create index audit_by_workspace on tandem.audit (workspace_id, id desc);

-- A row gets its outcome once. Else nothing of it changes, and only retention, which says so, deletes.
create function tandem.keep_audit() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.outcome is null
    and to_jsonb(old) - array['outcome', 'status', 'code', 'before_digest', 'after_digest', 'changed']
      = to_jsonb(new) - array['outcome', 'status', 'code', 'before_digest', 'after_digest', 'changed']
  then return new; end if;
  if tg_op = 'DELETE' and current_setting('tandem.audit_retention', true) = 'on' then return old; end if;
  raise exception 'tandem.audit is append-only';
end $$;
create trigger keep_audit before update or delete on tandem.audit for each row execute function tandem.keep_audit();
create trigger keep_audit_whole before truncate on tandem.audit for each statement execute function tandem.keep_audit();
