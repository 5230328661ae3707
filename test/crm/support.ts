import { loadWorkspace } from "../../src/catalog/workspaces.ts";
import { getObjects } from "../../src/crm/load-objects.ts";
import type { Actor, CrmObject, Objects } from "../../src/crm/objects.ts";
import { createWriter, type Change, type Writer } from "../../src/crm/operations.ts";
import { createWorkspaceSchema } from "../../src/crm/schema.ts";
import { createRecord } from "../../src/crm/operations.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { inTransaction, type SqlPool } from "../../src/sql.ts";
import type { Workspace } from "../../src/workspace.ts";

/** A record event as it waits in the outbox. */
export interface Event {
  readonly id: number;
  readonly object: string;
  readonly record_id: string;
  readonly kind: string;
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
  readonly changed_fields: string[];
  readonly actor: JsonObject;
  readonly origin: JsonObject | null;
  readonly shard: number;
}

/** A workspace with the standard objects, and what writes into it. */
export interface Crm {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly writer: Writer;
  object(name: string): CrmObject;
  make(object: string, values: JsonObject): Promise<Change>;
  /** Events of a record, or of all of them, in their order. */
  events(recordId?: string): Promise<Event[]>;
  /** Records of an object that are not deleted. */
  count(object: string): Promise<number>;
}

export async function createCrm(pool: SqlPool, settings: { timeZone?: string; actor?: Actor } = {}): Promise<Crm> {
  const { timeZone = "UTC", actor = { source: "API", name: "test" } } = settings;
  const id = createId();
  const schemaName = `ws_${id.slice(-10)}`;
  await inTransaction(pool, async (sql) => {
    await sql.query("insert into tandem.workspaces (id, name, schema_name, time_zone) values ($1, 'Test', $2, $3)", [
      id,
      schemaName,
      timeZone,
    ]);
    await createWorkspaceSchema(sql, { id, schemaName });
  });
  const workspace = await loadWorkspace(pool, id);
  const objects = await getObjects(pool, workspace);
  const writer = createWriter({ pool, workspace, objects, actor });
  const object = (name: string): CrmObject => {
    const found = objects.find(name);
    if (found === undefined) throw new Error(`There is no object ${name}.`);
    return found;
  };
  return {
    pool,
    workspace,
    objects,
    writer,
    object,
    make: (name, values) => createRecord(writer, { object: object(name), values }),
    async events(recordId) {
      const { rows } = await pool.query<Event>(
        "select * from tandem.outbox where workspace_id = $1 and ($2::uuid is null or record_id = $2) order by id",
        [id, recordId ?? null],
      );
      return rows;
    },
    async count(name) {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*) from ${object(name).table} where deleted_at is null`,
      );
      return rows[0]?.count ?? 0;
    },
  };
}

/** What a promise is refused with; fails when it is not. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; details: JsonObject }> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`Not refused: ${JSON.stringify(outcome.value)}`);
  return outcome.error as { code: string; message: string; details: JsonObject };
}
