import type { Sql } from "../sql.ts";
import { workflowNotFound } from "./workflows.ts";

interface Which {
  readonly workspaceId: string;
  readonly workflowId: string;
}

/**
 * Pauses a workflow: its triggers go on to collect runs, those that wait for a slot go on waiting, and
 * those that have one go on. Again: the newer note counts. Throws ProblemError 404.
 */
export async function pauseWorkflow(
  sql: Sql,
  { workspaceId, workflowId, note }: Which & { note: string | null },
): Promise<void> {
  const { rowCount } = await sql.query(
    `update tandem.workflows set paused_at = coalesce(paused_at, now()), pause_note = $3::text, updated_at = now()
     where id = $1::uuid and workspace_id = $2::uuid`,
    [workflowId, workspaceId, note],
  );
  if (rowCount === 0) throw workflowNotFound(workflowId);
}

/** Lets a workflow's runs go again, the oldest first. One that is not paused stays as it is. Throws ProblemError 404. */
export async function resumeWorkflow(sql: Sql, { workspaceId, workflowId }: Which): Promise<void> {
  const { rowCount } = await sql.query(
    `update tandem.workflows set paused_at = null, pause_note = null,
       updated_at = case when paused_at is null then updated_at else now() end
     where id = $1::uuid and workspace_id = $2::uuid`,
    [workflowId, workspaceId],
  );
  if (rowCount === 0) throw workflowNotFound(workflowId);
}
