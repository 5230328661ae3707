-- A paused workflow collects runs and starts none.
alter table tandem.workflows
  add column paused_at timestamptz,
  add column pause_note text;

-- At a concurrency key: who holds it, and who stands in line for it. Apart, so that neither is looked for
-- among the other, however long the line is.
drop index tandem.runs_keyed;
create index runs_holding on tandem.runs (workspace_id, concurrency_key, id)
  where concurrency_key is not null and ready and status in ('queued', 'starting', 'running', 'waiting');
create index runs_in_line on tandem.runs (workspace_id, concurrency_key, id) include (workflow_id)
  where concurrency_key is not null and status = 'queued' and ready is distinct from true;
-- Those in line that a newer one may push out.
create index runs_yielding on tandem.runs (workspace_id, concurrency_key, id)
  where status = 'queued' and ready is distinct from true and when_busy in ('queue-latest', 'replace');

-- Runs whose wait is over take turns by workflow, like new ones.
create index runs_due_by_workflow on tandem.runs (workspace_id, workflow_id, due_at) where status = 'waiting';

-- Lists of runs that ended otherwise than well.
create index runs_unwell on tandem.runs (workspace_id, status, id desc)
  where status in ('failed', 'cancelled', 'stopped-as-loop', 'skipped');
