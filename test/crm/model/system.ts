import { loadWorkspace } from "../../../src/catalog/workspaces.ts";
import { getObjects } from "../../../src/crm/load-objects.ts";
import { systemFields, type CrmObject, type Objects } from "../../../src/crm/objects.ts";
import {
  createRecord,
  createWriter,
  deleteRecord,
  updateRecord,
  upsertRecord,
  type Writer,
} from "../../../src/crm/operations.ts";
import { mergeRecords } from "../../../src/crm/merge.ts";
import { restoreRecord } from "../../../src/crm/restore.ts";
import { ProblemError, StepError } from "../../../src/errors.ts";
import type { SqlPool } from "../../../src/sql.ts";
import type { Workspace } from "../../../src/workspace.ts";
import { createCrm, type Event } from "../support.ts";
import type { Change, Seen } from "./judge.ts";
import { getKind, type Field, type Kind, type World } from "./world.ts";

/** The product as the model's steps use it. */
export interface System {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
  /** The objects as the metadata has them now, and what writes into them. */
  writer(): Promise<Writer>;
  /** Events that came since this was last asked, in their order. */
  newEvents(): Promise<Event[]>;
}

export async function createSystem(pool: SqlPool): Promise<System> {
  const crm = await createCrm(pool);
  const { id } = crm.workspace;
  let last = 0;
  return {
    pool,
    workspace: crm.workspace,
    async writer() {
      const workspace = await loadWorkspace(pool, id);
      const objects = await getObjects(pool, workspace);
      return createWriter({ pool, workspace, objects, actor: { source: "API", name: "model" } });
    },
    async newEvents() {
      const { rows } = await pool.query<Event>(
        "select * from tandem.outbox where workspace_id = $1 and id > $2 order by id",
        [id, last],
      );
      last = rows.at(-1)?.id ?? last;
      return rows;
    },
  };
}

/** What some work gave, or the code that it was refused with. Any other error is nobody's to expect. */
export async function attempt<T>(work: () => Promise<T>): Promise<{ value: T } | { refused: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    if (error instanceof StepError || error instanceof ProblemError) return { refused: error.code };
    throw error;
  }
}

export function getObject(objects: Objects, { name }: Kind): CrmObject {
  const found = objects.find(name);
  if (found === undefined) throw new Error(`There is no object ${name}.`);
  return found;
}

/** Makes a change in the product. */
export async function perform(writer: Writer, world: World, change: Change): Promise<Seen> {
  const kind = getKind(world, "write" in change ? change.write.object : change.object);
  const object = getObject(writer.objects, kind);
  const seen = await attempt(() => changeRecord(writer, object, change));
  if ("refused" in seen) return seen;
  const { value } = seen;
  if (value === undefined) return { outcome: "absent", id: "id" in change ? change.id : "", record: null };
  return value;
}

async function changeRecord(
  writer: Writer,
  object: CrmObject,
  change: Change,
): Promise<Exclude<Seen, { refused: string }> | undefined> {
  switch (change.do) {
    case "create":
      return createRecord(writer, { ...change.write, object });
    case "update":
      return updateRecord(writer, { ...change.write, object, id: change.write.id ?? "" });
    case "upsert":
      return upsertRecord(writer, { ...change.write, object, match: change.write.match ?? [] });
    case "remove":
    case "destroy":
      return deleteRecord(writer, { object, id: change.id, permanently: change.do === "destroy" });
    case "restore":
      return restoreRecord(writer, { object, id: change.id });
    case "merge": {
      const record = await mergeRecords(writer, { object, ids: change.ids, survivor: change.survivor });
      return { id: change.survivor, outcome: "updated", record };
    }
  }
}

/** The model of a workspace that nobody has used yet. */
export function firstWorld(objects: Objects): World {
  return new Map(objects.list().map((object) => [object.name, kindOf(object)]));
}

function kindOf(object: CrmObject): Kind {
  const { name, plural, standard, uniqueTogether } = object;
  const fields = object.fields
    .filter((field) => !systemFields.has(field.name))
    .map((field): Field => {
      const { relation, reading, type, compares, required, unique, searchable, defaultValue } = field;
      return {
        key: `${name}.${field.name}`,
        name: field.name,
        type,
        compares,
        required,
        unique,
        searchable,
        defaultValue,
        standard: field.standard,
        options: reading.options.map(({ value }) => value),
        ...(relation === undefined
          ? {}
          : { relation: { target: relation.object, cascades: relation.cascades, group: relation.group } }),
        hidden: false,
        isHeld: field.indexParts.length > 0,
      };
    });
  const together = uniqueTogether.map((joined) => ({
    id: joined.map((field) => field.name).join(),
    fields: joined.map((field) => `${name}.${field.name}`),
  }));
  return { key: name, name, plural, standard, hidden: false, fields, together, items: new Map() };
}
