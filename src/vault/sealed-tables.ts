import type { Sql } from "../sql.ts";

/** A table of sealed values. */
export interface SealedTable {
  readonly name: string;
  /** Its rows, aliased `v`, with what they belong to. */
  readonly from: string;
  /** The place that a row's value is bound to, as SQL. */
  readonly place: string;
}

/** The place of the token of a connection (aliased `c`), as SQL. */
export const tokenPlace = `jsonb_build_object('workspaceId', c.workspace_id, 'secretId', c.id, 'name', 'oauth2-token', 'version', v.version)`;

/** The place of a secret's value (of a secret aliased `s`), as SQL. */
export const secretPlace = `jsonb_build_object('workspaceId', s.workspace_id, 'secretId', s.id, 'name', s.name, 'version', v.version)`;

/** The place of a key of the installation, as SQL. */
export const installationKeyPlace = `jsonb_build_object('workspaceId', '', 'secretId', '', 'name', v.purpose, 'version', 1)`;

/** Where sealed values are kept: all of it is sealed anew when the master key changes. */
export const sealedTables: readonly SealedTable[] = [
  {
    name: "tandem.secret_values",
    from: "tandem.secret_values v join tandem.secrets s on s.id = v.secret_id",
    place: secretPlace,
  },
  {
    name: "tandem.connection_tokens",
    from: "tandem.connection_tokens v join tandem.connections c on c.id = v.connection_id",
    place: tokenPlace,
  },
  {
    name: "tandem.installation_keys",
    from: "tandem.installation_keys v",
    place: installationKeyPlace,
  },
];

/** Columns of a sealed value (aliased `v`), for a select list. */
export const sealedColumns = `v.master_key_id as "masterKeyId", v.data_key as "dataKey", v.sealed, v.sealed_under as "sealedUnder"`;

/** Ids of the master keys with which anything is sealed. */
export async function listMasterKeyIds(sql: Sql): Promise<string[]> {
  const parts = sealedTables.map(({ name }) => `select distinct master_key_id as id from ${name}`);
  const { rows } = await sql.query<{ id: string }>(`${parts.join(" union ")} order by id`);
  return rows.map(({ id }) => id);
}
