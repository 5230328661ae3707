import { setTimeout as sleep } from "node:timers/promises";
import type { SqlPool } from "../../sql.ts";
import { changeField, changeIndex } from "./bring-about.ts";
import { findStored, type Metadata } from "./stored.ts";

const leaseSeconds = 30;

/**
 * Brings about what is wanted of an object's fields and indexes, while everybody goes on working with
 * it. One process at a time does: others wait for it. One that was killed leaves what is wanted, and a
 * lease that runs out; whoever comes next does what is left, and may do again what was done.
 */
export async function build(metadata: Metadata, objectId: string): Promise<void> {
  const { pool } = metadata;
  for (;;) {
    if (await claim(pool, objectId)) {
      await holding(pool, objectId, () => bringAbout(metadata, objectId));
      return;
    }
    if (!(await isWanting(pool, objectId))) return;
    await sleep(200);
  }
}

/** Objects of which something is wanted and which nobody works at. */
export async function listAbandoned(pool: SqlPool): Promise<Array<{ id: string; workspaceId: string }>> {
  const { rows } = await pool.query<{ id: string; workspaceId: string }>(
    `select o.id, o.workspace_id as "workspaceId" from tandem.objects o where (o.lease_until is null or o.lease_until < now()) and o.id in (
       select f.object_id from tandem.fields f where f.wanted is not null
       union all select i.object_id from tandem.indexes i where i.state in ('building', 'removed'))`,
  );
  return rows;
}

async function claim(pool: SqlPool, objectId: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `update tandem.objects set lease_until = now() + ${leaseSeconds} * interval '1 second'
     where id = $1::uuid and (lease_until is null or lease_until < now())`,
    [objectId],
  );
  return rowCount === 1;
}

async function holding(pool: SqlPool, objectId: string, work: () => Promise<void>): Promise<void> {
  const renew = setInterval(
    () => {
      pool
        .query(
          `update tandem.objects set lease_until = now() + ${leaseSeconds} * interval '1 second' where id = $1::uuid`,
          [objectId],
        )
        .catch(() => {});
    },
    (leaseSeconds * 1_000) / 3,
  );
  try {
    await work();
  } finally {
    clearInterval(renew);
    await pool.query("update tandem.objects set lease_until = null where id = $1::uuid", [objectId]);
  }
}

async function isWanting(pool: SqlPool, objectId: string): Promise<boolean> {
  const { rows } = await pool.query<{ wanting: boolean }>(
    `select exists (select 1 from tandem.fields where object_id = $1::uuid and wanted is not null)
       or exists (select 1 from tandem.indexes where object_id = $1::uuid and state in ('building', 'removed')) as wanting`,
    [objectId],
  );
  return rows[0]?.wanting === true;
}

/** Until nothing is wanted: others may add to it meanwhile. */
async function bringAbout(metadata: Metadata, objectId: string): Promise<void> {
  for (;;) {
    const object = await findStored(metadata.pool, objectId);
    const field = object?.fields.find(({ wanted }) => wanted !== null);
    const index = object?.indexes.find(({ state }) => state === "building" || state === "removed");
    if (object !== undefined && field?.wanted) await changeField({ ...metadata, object }, field, field.wanted);
    else if (object !== undefined && index !== undefined) await changeIndex({ ...metadata, object }, index);
    else return;
  }
}
