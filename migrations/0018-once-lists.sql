-- Long lists that what was done once gave: they outlive the run that wrote them, as its values do.
create table tandem.once_lists (
  once_id uuid not null references tandem.once_values on delete cascade,
  workflow_id uuid not null references tandem.workflows,
  name text not null,
  page integer not null,
  first integer not null,
  items jsonb not null,
  primary key (once_id, name, page)
);
create index once_values_with_lists on tandem.once_values (run_id) where lists is not null;
