import type { Sql } from "../../sql.ts";
import { launcherIdOf } from "./launcher-id.ts";

/** The workflow in Temporal that hears a manual workflow's signals. */
export interface Launcher {
  readonly launcherId: string;
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly workflowName: string;
}

/** Launchers that one look takes. */
const batch = 20;
const lookAgainSeconds = 60;

/** Notes the launchers that there are to be: of every workflow with a manual trigger, active or not. */
export async function noteLaunchers(sql: Sql, installation: string): Promise<void> {
  const { rows } = await sql.query<{ workflowId: string; workspaceId: string; workflowKey: string }>({
    name: "missing_launchers",
    text: `select w.id as "workflowId", w.workspace_id as "workspaceId", w.key as "workflowKey" from (
        select distinct t.workflow_id from tandem.triggers t where t.kind = 'manual'
          and not exists (select 1 from tandem.launchers l where l.workflow_id = t.workflow_id)) m
      join tandem.workflows w on w.id = m.workflow_id`,
  });
  for (const row of rows)
    await sql.query(
      "insert into tandem.launchers (workflow_id, launcher_id) values ($1::uuid, $2::text) on conflict (workflow_id) do nothing",
      [row.workflowId, launcherIdOf({ ...row, installation })],
    );
}

/** Launchers not looked at lately; marks them as looked at, so that several workers share the work. */
export async function launchersToLookAt(sql: Sql): Promise<Launcher[]> {
  const { rows } = await sql.query<Launcher>({
    name: "launchers_to_look_at",
    text: `update tandem.launchers l set checked_at = now() from tandem.workflows w
      where w.id = l.workflow_id and l.workflow_id in (
        select workflow_id from tandem.launchers where checked_at is null or checked_at < now() - interval '${lookAgainSeconds} seconds'
        order by checked_at nulls first limit ${batch} for update skip locked)
        and exists (select 1 from tandem.triggers t where t.workflow_id = l.workflow_id and t.kind = 'manual')
      returning l.launcher_id as "launcherId", w.workspace_id as "workspaceId", w.id as "workflowId", w.key as "workflowKey", w.name as "workflowName"`,
  });
  return rows;
}

/** Of a launcher that could not be made: it is looked at again at once. */
export async function lookAgain(sql: Sql, workflowId: string): Promise<void> {
  await sql.query("update tandem.launchers set checked_at = null where workflow_id = $1::uuid", [workflowId]);
}

/** Launchers of workflows that have no manual trigger any more. */
export async function launchersToEnd(sql: Sql): Promise<Array<Pick<Launcher, "launcherId" | "workflowId">>> {
  const { rows } = await sql.query<Pick<Launcher, "launcherId" | "workflowId">>({
    name: "launchers_to_end",
    text: `select l.launcher_id as "launcherId", l.workflow_id as "workflowId" from tandem.launchers l
      where not exists (select 1 from tandem.triggers t where t.workflow_id = l.workflow_id and t.kind = 'manual') limit ${batch}`,
  });
  return rows;
}

/** Forgets a launcher that was ended. */
export async function forgetLauncher(sql: Sql, workflowId: string): Promise<void> {
  await sql.query(
    `delete from tandem.launchers l where l.workflow_id = $1::uuid
       and not exists (select 1 from tandem.triggers t where t.workflow_id = l.workflow_id and t.kind = 'manual')`,
    [workflowId],
  );
}
