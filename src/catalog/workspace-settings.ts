import type { Sql } from "../sql.ts";

/** What a workspace sets for all of its workflows. */
export interface WorkspaceSettings {
  /** Runs at once; 0 holds admission: runs are accepted and wait. */
  readonly runLimit: number;
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  /** ISO 4217 code. */
  readonly currency: string;
  /** Whom failures of workflows are told that name nobody themselves. */
  readonly alertAddresses: string[];
  /** Least minutes between two mails about one workflow's failures. */
  readonly alertDigestMinutes: number;
}

/** SQL: the settings, of `tandem.workspaces`. */
export const settingsColumns = `run_limit as "runLimit", time_zone as "timeZone", currency, alert_addresses as "alertAddresses",
  alert_digest_minutes as "alertDigestMinutes"`;

/** Undefined: there is no such workspace. */
export async function findWorkspaceSettings(sql: Sql, workspaceId: string): Promise<WorkspaceSettings | undefined> {
  const { rows } = await sql.query<WorkspaceSettings>(
    `select ${settingsColumns} from tandem.workspaces where id = $1::uuid`,
    [workspaceId],
  );
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
       currency = coalesce($4::text, currency), alert_addresses = coalesce($5::text[], alert_addresses),
       alert_digest_minutes = coalesce($6::integer, alert_digest_minutes)
     where id = $1::uuid returning ${settingsColumns}`,
    [
      workspaceId,
      change.runLimit ?? null,
      change.timeZone ?? null,
      change.currency ?? null,
      change.alertAddresses ?? null,
      change.alertDigestMinutes ?? null,
    ],
  );
  return rows[0];
}
