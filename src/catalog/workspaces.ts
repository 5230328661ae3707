import { ProblemError } from "../errors.ts";
import type { Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";
import { settingsColumns, type WorkspaceSettings } from "./workspace-settings.ts";

/** A workspace by its id. Throws ProblemError 404. */
export async function loadWorkspace(sql: Sql, id: string): Promise<Workspace> {
  const { rows } = await sql.query<{ workspace: Workspace }>({
    name: "load_workspace",
    text: `select ${workspaceColumns} as workspace from tandem.workspaces w where w.id = $1::uuid`,
    values: [id],
  });
  if (rows[0] === undefined) throw new ProblemError(404, "workspace-not-found", `There is no workspace ${id}.`);
  return rows[0].workspace;
}

/** A workspace as those see it who look after the installation. */
export interface WorkspaceSummary extends WorkspaceSettings {
  readonly id: string;
  readonly name: string;
  readonly createdAt: Date;
}

const summaryColumns = `id, name, ${settingsColumns}, created_at as "createdAt"`;

/** Workspaces in the order in which they were made; `after` is the id of the last of the page before. */
export async function listWorkspaces(
  sql: Sql,
  { limit, after }: { limit: number; after?: string | undefined },
): Promise<WorkspaceSummary[]> {
  const { rows } = await sql.query<WorkspaceSummary>(
    `select ${summaryColumns} from tandem.workspaces
     where $1::uuid is null or ordinal > (select w.ordinal from tandem.workspaces w where w.id = $1::uuid)
     order by ordinal limit $2::integer`,
    [after ?? null, limit],
  );
  return rows;
}

/** Undefined: there is no such workspace. */
export async function findWorkspace(sql: Sql, id: string): Promise<WorkspaceSummary | undefined> {
  const { rows } = await sql.query<WorkspaceSummary>(
    `select ${summaryColumns} from tandem.workspaces where id = $1::uuid`,
    [id],
  );
  return rows[0];
}

/** The id of the workspace that came with the installation; undefined before there is one. */
export async function findFirstWorkspace(sql: Sql): Promise<string | undefined> {
  const { rows } = await sql.query<{ id: string }>("select id from tandem.workspaces order by ordinal limit 1");
  return rows[0]?.id;
}

/** Throws ProblemError 403 for a workspace that is not the first; `what` is kept to that one. */
export async function requireFirstWorkspace(sql: Sql, workspace: Workspace, what: string): Promise<void> {
  if ((await findFirstWorkspace(sql)) === workspace.id) return;
  throw new ProblemError(
    403,
    "first-workspace-only",
    `${what} only with a key of the installation's first workspace. This key is one of "${workspace.name}".`,
  );
}
