import type { Sql } from "../sql.ts";

/** A step that names a connection. */
export interface ConnectionUse {
  readonly workflowId: string;
  /** The workflow's key. */
  readonly workflow: string;
  readonly step: string;
  /** Whether it is in the version that runs, and not only in a draft. */
  readonly active: boolean;
}

/** Steps that name a connection (aliased `c`), as SQL for a select list. */
export const connectionUses = `(select coalesce(jsonb_agg(distinct jsonb_build_object('workflowId', f.id, 'workflow', f.key,
      'step', step ->> 'id', 'active', f.status = 'active' and v.status = 'active')), '[]')
    from tandem.workflows f join tandem.workflow_versions v on v.workflow_id = f.id and v.status in ('active', 'draft'),
      lateral jsonb_path_query(v.definition, 'strict $.steps.** ? (@.input.connection == $key)',
        jsonb_build_object('key', c.key)) step
    where f.workspace_id = c.workspace_id)`;

/**
 * Keys of a workspace's connections, none of which is deleted before the transaction ends: what is
 * activated by them finds them there. Changes are not held up.
 */
export async function holdConnectionKeys(sql: Sql, workspaceId: string): Promise<ReadonlySet<string>> {
  const { rows } = await sql.query<{ key: string }>(
    "select key from tandem.connections where workspace_id = $1::uuid order by id for key share",
    [workspaceId],
  );
  return new Set(rows.map(({ key }) => key));
}
