import type { Sql } from "../sql.ts";

/** Names of a workspace's secrets. */
export async function listSecretNames(sql: Sql, workspaceId: string): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>({
    name: "list_secret_names",
    text: "select name from tandem.secrets where workspace_id = $1::uuid order by name",
    values: [workspaceId],
  });
  return rows.map(({ name }) => name);
}
