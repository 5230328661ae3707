import type { Sql } from "../sql.ts";

/** What a workspace sets for all of its workflows. */
export interface WorkspaceSettings {
  /** Runs at once; 0 holds admission: runs are accepted and wait. */
  readonly runLimit: number;
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  /** ISO 4217 code. */
  readonly currency: string;
}

const columns = `run_limit as "runLimit", time_zone as "timeZone", currency`;

/** Undefined: there is no such workspace. */
export async function findWorkspaceSettings(sql: Sql, workspaceId: string): Promise<WorkspaceSettings | undefined> {
  const { rows } = await sql.query<WorkspaceSettings>(`select ${columns} from tandem.workspaces where id = $1::uuid`, [
    workspaceId,
  ]);
  return rows[0];
}

/** Changes what is named; the rest stays. Undefined: there is no such workspace. */
export async function changeWorkspaceSettings(
  sql: Sql,
  workspaceId: string,
  change: { readonly [Key in keyof WorkspaceSettings]?: WorkspaceSettings[Key] | undefined },
): Promise<WorkspaceSettings | undefined> {
  const { rows } = await sql.query<WorkspaceSettings>(
    `update tandem.workspaces set run_limit = coalesce($2::integer, run_limit), time_zone = coalesce($3::text, time_zone),
       currency = coalesce($4::text, currency)
     where id = $1::uuid returning ${columns}`,
    [workspaceId, change.runLimit ?? null, change.timeZone ?? null, change.currency ?? null],
  );
  return rows[0];
}
