-- Objects and fields that change while the workspace works. A change that takes long (an index over a
-- million rows) is a row that says what is wanted; whoever holds its lease brings it about.

alter table tandem.objects
  add column description text,
  add column icon text,
  -- `removed`: hidden; its table is dropped when nothing names it any more.
  add column state text not null default 'active' check (state in ('active', 'inactive', 'removed')),
  -- Which of its fields tell that two records may be the same: a list of lists of field paths.
  add column duplicate_criteria jsonb not null default '[]',
  -- Who holds it brings about what is wanted of its fields and indexes, one at a time.
  add column lease_until timestamptz,
  add column removed_at timestamptz;

-- A removed object's names are free for another.
alter table tandem.objects drop constraint objects_workspace_id_name_key, drop constraint objects_workspace_id_plural_key;
create unique index objects_by_name on tandem.objects (workspace_id, name) where state <> 'removed';
create unique index objects_by_plural on tandem.objects (workspace_id, plural) where state <> 'removed';

alter table tandem.fields
  add column description text,
  add column icon text,
  -- `building`: has its column, not yet its constraints. `removed`: hidden; its column is dropped later.
  add column state text not null default 'active' check (state in ('building', 'active', 'inactive', 'removed')),
  add column is_indexed boolean not null default false,
  add column is_searchable boolean not null default false,
  -- What is being brought about, and why the last try was given up.
  add column wanted jsonb,
  add column failure jsonb,
  add column removed_at timestamptz;

alter table tandem.fields drop constraint fields_object_id_name_key;
create unique index fields_by_name on tandem.fields (object_id, name) where state <> 'removed';
create index fields_wanted on tandem.fields (object_id) where wanted is not null;
create index fields_removed on tandem.fields (removed_at) where state = 'removed';
create index objects_removed on tandem.objects (removed_at) where state = 'removed';

-- Indexes over several fields; one field's own are the field's affair.
create table tandem.indexes (
  id uuid primary key,
  object_id uuid not null references tandem.objects on delete cascade,
  name text not null,
  -- In order: { fieldId } of an own field or { base } of one that every object has, and a composite's { subField }.
  parts jsonb not null,
  is_unique boolean not null default false,
  standard boolean not null default false,
  state text not null default 'building' check (state in ('building', 'active', 'failed', 'removed')),
  failure jsonb,
  created_at timestamptz not null default now(),
  unique (object_id, name)
);
create index indexes_building on tandem.indexes (object_id) where state in ('building', 'removed');
