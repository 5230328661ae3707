/** A tenant, as the parts that work for it need it. */
export interface Workspace {
  readonly id: string;
  readonly name: string;
  /** Postgres schema of its records, unquoted. */
  readonly schemaName: string;
  /** IANA zone in which dates are reckoned where none is named. */
  readonly timeZone: string;
  /** ISO 4217 code. */
  readonly currency: string;
  /** Version of its objects and fields: a cache of an older one is read again. */
  readonly metadataVersion: number;
}

/** Columns of tandem.workspaces (aliased `w`) as a Workspace, for a select list. */
export const workspaceColumns = `jsonb_build_object('id', w.id, 'name', w.name, 'schemaName', w.schema_name,
  'timeZone', w.time_zone, 'currency', w.currency, 'metadataVersion', w.metadata_version)`;
