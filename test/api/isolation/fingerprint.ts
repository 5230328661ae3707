import type { Sql } from "../../../src/sql.ts";
import { identifier } from "../../../src/sql.ts";

/** Columns by which a row of Tandem's own tables belongs to a workspace, and the ids that they hold. */
const owners: Readonly<Record<string, string>> = {
  workspace_id: "select $1::uuid",
  workflow_id: "select w.id from tandem.workflows w where w.workspace_id = $1::uuid",
  object_id: "select o.id from tandem.objects o where o.workspace_id = $1::uuid",
  import_id: "select i.id from tandem.imports i where i.workspace_id = $1::uuid",
  secret_id: "select s.id from tandem.secrets s where s.workspace_id = $1::uuid",
  connection_id: "select c.id from tandem.connections c where c.workspace_id = $1::uuid",
  list_id: "select l.id from tandem.event_lists l where l.workspace_id = $1::uuid",
  run_id: "select r.id from tandem.runs r where r.workspace_id = $1::uuid",
};

/** Tables of the installation, in which nothing belongs to a workspace. */
const shared = new Set([
  "installation",
  "installation_keys",
  "master_key",
  "workers",
  "outbox_shards",
  "mailbox_messages",
]);

/**
 * A hash of every table that holds something of a workspace: what differs between two of them was
 * changed. Throws for a table of which nobody has said how its rows belong to a workspace.
 */
export async function fingerprint(sql: Sql, workspaceId: string): Promise<Record<string, string | null>> {
  const { rows: tables } = await sql.query<{ schema: string; table: string; columns: string[] }>(
    `select c.table_schema as schema, c.table_name as table, array_agg(c.column_name::text) as columns
     from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
     where t.table_type = 'BASE TABLE' and (c.table_schema = 'tandem'
       or c.table_schema = (select w.schema_name from tandem.workspaces w where w.id = $1::uuid))
     group by 1, 2 order by 1, 2`,
    [workspaceId],
  );
  const prints: Record<string, string | null> = {};
  for (const { schema, table, columns } of tables) {
    const condition = schema === "tandem" ? ownedSql(table, columns) : "$1::uuid is not null";
    if (condition === undefined) continue;
    const { rows } = await sql.query<{ print: string | null }>(
      `select md5(string_agg(t::text, ';' order by t::text)) as print from ${identifier(schema)}.${identifier(table)} t where ${condition}`,
      [workspaceId],
    );
    prints[`${schema}.${table}`] = rows[0]?.print ?? null;
  }
  return prints;
}

function ownedSql(table: string, columns: readonly string[]): string | undefined {
  if (table === "workspaces") return "t.id = $1::uuid";
  if (shared.has(table)) return undefined;
  const owner = Object.keys(owners).find((column) => columns.includes(column));
  if (owner === undefined)
    throw new Error(`test/api/isolation/fingerprint.ts does not know whose the rows of ${table} are.`);
  return `t.${owner} in (${owners[owner]})`;
}
