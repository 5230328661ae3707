import { StepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { inTransaction, sqlState, type Statement } from "../sql.ts";
import { destroyFollowers, refusalOfDestroying } from "./destroy.ts";
import type { WriteOptions } from "./events.ts";
import { recordColumns, type CrmObject } from "./objects.ts";
import { isTaken, recordExists, untilSettled } from "./refusals.ts";
import { parseValues, requireFields } from "./values.ts";
import { addDelete, addDeleteOfLocked, addUpdateOfLocked } from "./write.ts";
import { writeOptionsOf, type Change, type Writer } from "./writer.ts";

/** Records by what they are like. */
export interface Matching {
  readonly object: CrmObject;
  /** SQL over the alias, with its parameters in the statement. */
  where(statement: Statement, alias: string): string;
}

/** Records that one change by a filter may touch: they are locked together, and its answer holds them all. */
export const mostMatching = 1_000;

/** Changes every record that matches and is not deleted: all of them or none. In the order of their ids. */
export async function updateMatching(
  writer: Writer,
  { values, ...matching }: Matching & { readonly values: JsonObject },
): Promise<Change[]> {
  const { object } = matching;
  const parsed = parseValues(object, values);
  requireFields(object, parsed, "update");
  return untilSettled(object, async () => {
    try {
      return await changeMatching(writer, alive(matching), (options) => addUpdateOfLocked(options, { values: parsed }));
    } catch (error) {
      if (!isTaken(error)) throw error;
      throw await recordExists(writer.pool, object, { values: parsed });
    }
  });
}

/** Marks every record that matches as deleted, or destroys it: all of them or none. */
export async function deleteMatching(
  writer: Writer,
  { permanently, ...matching }: Matching & { readonly permanently: boolean },
): Promise<Change[]> {
  return untilSettled(matching.object, async () =>
    permanently
      ? destroyMatching(writer, matching)
      : changeMatching(writer, alive(matching), (options) => addDeleteOfLocked(options, { permanently: false })),
  );
}

/** Makes one statement of what `add` does to the CTE `locked`, which has every record that matches. */
export async function changeMatching(
  writer: Writer,
  matching: Matching,
  add: (options: WriteOptions) => void,
): Promise<Change[]> {
  const { object } = matching;
  const statement = writer.begin();
  const options = writeOptionsOf(writer, object, statement);
  const { gate } = options;
  // With one more than may be touched, to tell that there are too many; then none is.
  statement.with(
    "matched",
    `select ${recordColumns(object, "r")} from ${object.table} r${gate === undefined ? "" : `, ${gate} g`}
     where ${matching.where(statement, "r")} order by r.id limit ${mostMatching + 1} for update of r`,
  );
  statement.with(
    "locked",
    `select ${recordColumns(object, "m")} from matched m where (select count(*) from matched) <= ${mostMatching}`,
  );
  add(options);
  // Without a name: filters have as many shapes as callers.
  const { text, values } = statement.query(
    `select n.matching, c.id, c.outcome, c.record, c.before, c.changed_fields as "changedFields"
     from (select count(*) as matching from matched) n left join changed c on true order by c.id`,
  );
  const { rows } = await writer.pool.query<Change & { matching: number; id: string | null }>(text, values);
  if ((rows[0]?.matching ?? 0) > mostMatching) throw tooMany(object);
  return rows.flatMap(({ matching: _matching, ...change }) => (change.id === null ? [] : [change]));
}

function alive(matching: Matching): Matching {
  return {
    ...matching,
    where: (statement, alias) => `${alias}.deleted_at is null and ${matching.where(statement, alias)}`,
  };
}

/** One statement a record, in one transaction: what points to a record is let go of for one at a time. */
async function destroyMatching(writer: Writer, { object, where }: Matching): Promise<Change[] | undefined> {
  try {
    return await inTransaction(writer.pool, async (sql) => {
      const locking = writer.begin({ locked: true });
      const { text, values } = locking.query(
        `select r.id from ${object.table} r where ${where(locking, "r")} order by r.id limit ${mostMatching + 1} for update of r`,
      );
      const { rows } = await sql.query<{ id: string }>(text, values);
      if (rows.length > mostMatching) throw tooMany(object);
      const changes: Change[] = [];
      for (const { id } of rows) {
        await destroyFollowers(writer, sql, { object, id });
        const statement = writer.begin({ locked: true });
        addDelete(writeOptionsOf(writer, object, statement), { id, permanently: true });
        const change = await writer.commit(sql, statement);
        if (change !== undefined) changes.push(change);
      }
      return changes;
    });
  } catch (error) {
    // Another record began to point to one of them meanwhile: the next try sees it.
    if (sqlState(error)?.code === "23503") return undefined;
    throw refusalOfDestroying(error, writer.objects, object);
  }
}

function tooMany(object: CrmObject): StepError {
  return new StepError(
    "too-many-records",
    `More than ${mostMatching} ${object.plural} match, and one request changes no more. Narrow the filter, and ask again until none matches.`,
  );
}
