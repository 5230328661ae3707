import type { Log } from "../../log.ts";
import { identifier, type SqlPool } from "../../sql.ts";
import { workspaceColumns, type Workspace } from "../../workspace.ts";
import { qualified } from "../ddl.ts";
import { build, listAbandoned } from "./build.ts";
import { changeTables } from "./live-ddl.ts";
import { raiseVersion } from "./stored.ts";
import { findUses } from "./uses.ts";

const everyMs = 10_000;
/** What was removed is kept this long: a process may still have a statement under way that names it. */
const graceMinutes = 10;

/** Brings about what a killed process left, of every workspace. One that fails keeps no other from its turn. */
export async function resumeBuilding(pool: SqlPool): Promise<void> {
  const failed: unknown[] = [];
  for (const { id, workspaceId } of await listAbandoned(pool)) {
    try {
      const workspace = await findWorkspace(pool, workspaceId);
      if (workspace !== undefined) await build({ pool, workspace }, id);
    } catch (error) {
      failed.push(error);
    }
  }
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} objects could not be changed.`);
}

async function findWorkspace(pool: SqlPool, id: string): Promise<Workspace | undefined> {
  const { rows } = await pool.query<{ workspace: Workspace }>(
    `select ${workspaceColumns} as workspace from tandem.workspaces w where w.id = $1::uuid`,
    [id],
  );
  return rows[0]?.workspace;
}

interface Removed {
  readonly workspace: Workspace;
  readonly objectId: string;
  readonly objectName: string;
  readonly tableName: string;
  /** Null: the object itself. */
  readonly fieldId: string | null;
  readonly fieldName: string | null;
  readonly columnName: string | null;
}

/** Drops what was removed and is named by no active version and no open run. Gives how much that was. */
export async function dropRemoved(
  pool: SqlPool,
  { minutes = graceMinutes }: { minutes?: number } = {},
): Promise<number> {
  const { rows } = await pool.query<Removed>(
    `select ${workspaceColumns} as workspace, o.id as "objectId", o.name as "objectName", o.table_name as "tableName",
       f.id as "fieldId", f.name as "fieldName", f.column_name as "columnName"
     from tandem.fields f join tandem.objects o on o.id = f.object_id join tandem.workspaces w on w.id = o.workspace_id
     where f.state = 'removed' and f.wanted is null and o.state <> 'removed' and f.removed_at < now() - $1::float8 * interval '1 minute'
     union all select ${workspaceColumns}, o.id, o.name, o.table_name, null, null, null
     from tandem.objects o join tandem.workspaces w on w.id = o.workspace_id
     where o.state = 'removed' and o.removed_at < now() - $1::float8 * interval '1 minute'`,
    [minutes],
  );
  let dropped = 0;
  const failed: unknown[] = [];
  for (const removed of rows) {
    try {
      if (await drop(pool, removed)) dropped += 1;
    } catch (error) {
      failed.push(error);
    }
  }
  if (failed.length > 0) throw new AggregateError(failed, `${failed.length} removed things could not be dropped.`);
  return dropped;
}

async function drop(pool: SqlPool, removed: Removed): Promise<boolean> {
  const { workspace, objectId, objectName, fieldId, fieldName, columnName } = removed;
  const fields = fieldName === null ? {} : { fields: [fieldName] };
  if ((await findUses(pool, workspace, { object: objectName, ...fields })).length > 0) return false;
  const table = qualified({ schemaName: workspace.schemaName, tableName: removed.tableName });
  await changeTables(pool, async (sql) => {
    if (fieldId !== null && columnName !== null) {
      await sql.query(`alter table ${table} drop column if exists ${identifier(columnName)}`);
      await sql.query("delete from tandem.fields where id = $1::uuid", [fieldId]);
    } else {
      await sql.query(`drop table if exists ${table} cascade`);
      await sql.query("delete from tandem.fields where object_id = $1::uuid", [objectId]);
      await sql.query("delete from tandem.objects where id = $1::uuid", [objectId]);
    }
    await raiseVersion(sql, workspace);
  });
  return true;
}

/** Looks every ten seconds after what was left half done, and after what can go. */
export function createMetadataKeeper({ pool, log }: { pool: SqlPool; log: Log }): { start(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  const attempt = (work: () => Promise<void>): Promise<void> =>
    work().catch((error: unknown) => {
      log.warn({ err: error }, "a change of objects or fields could not be finished yet; it is tried again");
    });
  const look = async (): Promise<void> => {
    await attempt(() => resumeBuilding(pool));
    await attempt(async () => {
      const dropped = await dropRemoved(pool);
      if (dropped > 0) log.info({ dropped }, "removed objects and fields were dropped");
    });
  };
  const again = (): void => {
    if (!stopped) timer = setTimeout(() => void look().then(again), everyMs);
  };
  return {
    start: again,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
