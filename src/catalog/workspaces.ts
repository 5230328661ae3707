import { ProblemError } from "../errors.ts";
import type { Sql } from "../sql.ts";
import { workspaceColumns, type Workspace } from "../workspace.ts";

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
