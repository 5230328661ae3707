import { didYouMean } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";
import { describeUses, findUses, type Use } from "./uses.ts";
import { listStored, type Metadata, type StoredField, type StoredObject } from "./stored.ts";
import type { Sql } from "../../sql.ts";

/** All objects, and the one of them by its name, plural or id. Throws a 404 that suggests. */
export async function findObject(
  { pool, workspace }: Metadata,
  wanted: string,
): Promise<{ all: StoredObject[]; object: StoredObject }> {
  const all = await listStored(pool, workspace);
  const object = all.find(({ id, name, plural }) => [id, name, plural].includes(wanted));
  if (object !== undefined) return { all, object };
  const meant = didYouMean(
    wanted,
    all.flatMap(({ name, plural }) => [name, plural]),
  );
  throw new ProblemError(404, "object-not-found", `There is no object "${wanted}"${meant || "."}`);
}

/** A field by its name, its relation's name or its id. Throws a 404 that suggests. */
export function findField(object: StoredObject, wanted: string): StoredField {
  const fields = object.fields.filter(({ state }) => state !== "removed");
  const found = fields.find(
    ({ id, name, type }) => id === wanted || name === wanted || (type === "RELATION" && name === `${wanted}Id`),
  );
  if (found !== undefined) return found;
  const meant = didYouMean(
    wanted,
    fields.map(({ name }) => name),
  );
  throw new ProblemError(404, "field-not-found", `${object.name} has no field "${wanted}"${meant || "."}`);
}

/** Refuses to hide or rename what workflows, open runs or views name. */
export async function refuseUsed(
  sql: Sql,
  workspace: Metadata["workspace"],
  named: { object: string; fields?: readonly string[]; what: string },
): Promise<void> {
  const uses: Use[] = await findUses(sql, workspace, named);
  if (uses.length === 0) return;
  throw new ProblemError(
    409,
    "in-use",
    `${named.what} is named by ${describeUses(uses)}. Change or deactivate what names it, then ask again.`,
    { issues: uses.map(({ at, kind, name }) => ({ path: at, message: `the ${kind} "${name}"` })) },
  );
}
