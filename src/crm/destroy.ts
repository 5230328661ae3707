import { StepError } from "../errors.ts";
import { literal, sqlState, type Sql, type Statement } from "../sql.ts";
import type { CrmField, CrmObject, Objects } from "./objects.ts";
import { refusalOf } from "./refusals.ts";
import { addDelete, addLocked, addUpdateOfLocked } from "./write.ts";
import { writeOptionsOf, type Writer } from "./writer.ts";

interface Doomed {
  readonly object: CrmObject;
  readonly id: string;
}

/** Whether something may point to what goes with a record of the object: then that has to go first. */
export function hasPointedFollowers(objects: Objects, object: CrmObject): boolean {
  return followersOf(objects, object).some(
    (follower) =>
      follower.hiddenPointers.length > 0 ||
      objects.list().some(({ fields }) => fields.some(({ relation }) => relation?.object === follower.name)),
  );
}

/** Objects whose records go with the one of `object` that they point to. */
function followersOf(objects: Objects, object: CrmObject): CrmObject[] {
  return objects.list().filter((other) => followingFields(other, object).length > 0);
}

/** The relations by which records of `other` go with the one of the object that they point to. */
function followingFields(other: CrmObject, { name }: CrmObject): CrmField[] {
  return other.fields.filter(({ relation }) => relation?.object === name && relation.cascades);
}

/** Destroys what goes with a record, the farthest first, in the transaction of `sql`. */
export async function destroyFollowers(
  writer: Writer,
  sql: Sql,
  { object, id, going = new Set() }: Doomed & { going?: Set<string> },
): Promise<void> {
  const { objects } = writer;
  // What nothing points to goes in the record's own statement.
  if (!hasPointedFollowers(objects, object)) return;
  going.add(id);
  for (const follower of followersOf(objects, object)) {
    for (const each of await findFollowing(sql, follower, { object, id })) {
      if (going.has(each.id)) await letGo(writer, sql, { object: follower, ...each });
      else {
        await destroyFollowers(writer, sql, { object: follower, id: each.id, going });
        const statement = writer.begin({ locked: true });
        addDelete(writeOptionsOf(writer, follower, statement), { id: each.id, permanently: true });
        await run(sql, statement);
      }
    }
  }
}

interface Following {
  readonly id: string;
  /** The names of the fields that point. */
  readonly fields: string[];
}

async function findFollowing(sql: Sql, follower: CrmObject, { object, id }: Doomed): Promise<Following[]> {
  const fields = followingFields(follower, object);
  const points = fields.map(({ column }) => `t.${column} = $1::uuid`);
  const names = fields.map(({ name }, i) => `case when ${points[i]} then ${literal(name)} end`);
  const text = `select t.id, array_remove(array[${names.join(", ")}], null) as fields from ${follower.table} t
    where ${points.join(" or ")} order by t.id for update of t`;
  const { rows } = await sql.query<Following>(text, [id]);
  return rows;
}

/** Of records that go with one another the last lets go of the first, which goes after it. */
async function letGo(writer: Writer, sql: Sql, { object, id, fields }: Following & Doomed): Promise<void> {
  const statement = writer.begin({ locked: true });
  addLocked(writeOptionsOf(writer, object, statement), id, "true");
  const values = object.fields.flatMap((field) => (fields.includes(field.name) ? [{ field, value: null }] : []));
  addUpdateOfLocked(writeOptionsOf(writer, object, statement), { values });
  await run(sql, statement);
}

/** Of what goes with a record no step tells: only the record's own change is sealed. */
async function run(sql: Sql, statement: Statement): Promise<void> {
  const { text, values } = statement.query("select 1 from changed");
  await sql.query(text, values);
}

/** The error of a destruction: that a record must go on pointing to what would go. */
export function refusalOfDestroying(error: unknown, objects: Objects, object: CrmObject): unknown {
  const state = sqlState(error);
  if (state?.code !== "23514") return error;
  const pointing = objects.list().find(({ tableName }) => tableName === state.table);
  if (pointing !== undefined) return refusalOf(error, pointing);
  const message = `${object.name}: records of an object that is hidden must go on pointing to it. Show that object and change them first.`;
  return new StepError("invalid-values", message, { cause: error });
}
