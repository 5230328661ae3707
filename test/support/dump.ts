import { identifier, type Sql } from "../../src/sql.ts";

/** Every row of every table as text, to search for what must not be there. Bytes are hexadecimal. */
export async function dumpDatabase(sql: Sql): Promise<string> {
  const { rows: tables } = await sql.query<{ schema: string; name: string }>(
    `select table_schema as schema, table_name as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const texts: string[] = [];
  for (const { schema, name } of tables) {
    const { rows } = await sql.query<{ text: string | null }>(
      `select string_agg(t::text, E'\\n') as text from ${identifier(schema)}.${identifier(name)} t`,
    );
    texts.push(rows[0]?.text ?? "");
  }
  return texts.join("\n");
}
