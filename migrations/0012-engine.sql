-- Loops: an item that is over has a row, by whose loop and number what is done of a loop is found.
-- `log` is what a step's code printed. `lists` names the lists of the output that are kept as pages, with
-- their lengths: { "records": 100000 }; in `output` their places hold { "count": 100000 }.
alter table tandem.step_results
  add column item_of text,
  add column item integer,
  add column log text,
  add column lists jsonb;
create index step_results_items on tandem.step_results (run_id, item_of, item) where item_of is not null;

-- Long lists that steps gave, and the items of loops, in pages: who needs some reads these only.
create table tandem.step_lists (
  run_id uuid not null,
  path text not null,
  name text not null,
  page integer not null,
  -- Index of the page's first item in the list.
  first integer not null,
  items jsonb not null,
  primary key (run_id, path, name, page)
) partition by range (run_id);
create table tandem.step_lists_rest partition of tandem.step_lists default;

-- The workflow in Temporal that waits, where that is not the run's own: a loop has one.
alter table tandem.waits add column waiter text;
