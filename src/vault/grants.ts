import type { Sql } from "../sql.ts";

/** Lets a workflow use these secrets, and no others. */
export async function grantSecrets(
  sql: Sql,
  { workspaceId, workflowId, names }: { workspaceId: string; workflowId: string; names: readonly string[] },
): Promise<void> {
  await sql.query(
    `with wanted as (
        select unnest($3::text[]) as name
      ), gone as (
        delete from tandem.secret_grants g where g.workflow_id = $1::uuid and g.name not in (select name from wanted)
      )
      insert into tandem.secret_grants (workflow_id, workspace_id, name) select $1::uuid, $2::uuid, name from wanted
      on conflict (workflow_id, name) do nothing`,
    [workflowId, workspaceId, [...new Set(names)]],
  );
}

/** Names of the secrets that a workflow may use. */
export async function listGrants(sql: Sql, workflowId: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>({
    name: "list_grants",
    text: "select name from tandem.secret_grants where workflow_id = $1::uuid order by name",
    values: [workflowId],
  });
  return rows.map(({ name }) => name);
}
