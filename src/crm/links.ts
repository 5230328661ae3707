import { didYouMean } from "../definition/suggest.ts";
import type { Issue } from "../errors.ts";
import { createId } from "../ids.ts";
import { actorJson, addEvent, type WriteOptions } from "./events.ts";
import { recordJson, type CrmField, type CrmObject, type Objects } from "./objects.ts";
import { linkObjects } from "./standard-objects.ts";
import { invalidValues } from "./values.ts";

/** A record that a task or note is linked to. */
export interface Link {
  readonly object: string;
  readonly id: string;
}

/**
 * What keeps records of `object` from being linked to records of `targets` (undefined: not known yet),
 * each with its place below `at`.
 */
export function checkLinks(
  { objects, object }: { objects: Objects; object: CrmObject },
  targets: readonly (string | undefined)[],
  at: string,
): Issue[] {
  if (linkObjects[object.name] === undefined)
    return [{ path: at, message: `${object.name} has no links; ${Object.keys(linkObjects).join(" and ")} have` }];
  const known = linkTargets(objects, object);
  return targets.flatMap((target, position) => {
    if (target === undefined || known.includes(target)) return [];
    const meant = didYouMean(target, known) || `; those of ${known.join(", ")} can`;
    return [{ path: `${at}[${position}].object`, message: `records of "${target}" cannot be linked${meant}` }];
  });
}

/** The objects whose records a task or note can be linked to. */
function linkTargets(objects: Objects, object: CrmObject): string[] {
  return getLinkObject(objects, object).fields.flatMap(({ relation }) =>
    relation === undefined || relation.object === object.name ? [] : [relation.object],
  );
}

/** Links the record of the CTE `source` to others; a link that is there already stays the one. */
export function addLinks(options: WriteOptions, source: string, links: readonly Link[]): void {
  const { statement, object, objects } = options;
  const p = statement.param;
  if (links.length === 0) return;
  const issues = checkLinks(
    options,
    links.map((link) => link.object),
    "links",
  );
  if (issues.length > 0) throw invalidValues(issues);
  const linkObject = getLinkObject(objects, object);
  const own = getPointing(linkObject, object.name);
  const distinct = [...new Map(links.map((link) => [`${link.object} ${link.id.toLowerCase()}`, link])).values()];
  for (const [position, link] of distinct.entries()) {
    const name = `link_${position}`;
    const actor = p(actorJson(options.actor), "jsonb");
    const target = getPointing(linkObject, link.object);
    statement.with(
      name,
      `insert into ${linkObject.table} as t (id, created_by, updated_by, ${own.column}, ${target.column})
       select ${p(createId(), "uuid")}, ${actor}, ${actor}, s.id, ${p(link.id, "uuid")} from ${source} s
       on conflict do nothing returning t.id, ${recordJson(linkObject, "t")} as record`,
    );
    addEvent(
      options,
      `${name}_event`,
      `select 'created', k.id, null::jsonb, k.record, array['${own.name}', '${target.name}'] from ${name} k`,
      linkObject,
    );
  }
}

function getLinkObject(objects: Objects, object: CrmObject): CrmObject {
  const found = objects.find(linkObjects[object.name] ?? "");
  if (found === undefined) throw new Error(`The workspace lacks the link object of ${object.name}.`);
  return found;
}

/** The relation of a link object that points to records of `target`. */
function getPointing(linkObject: CrmObject, target: string): CrmField {
  const field = linkObject.fields.find(({ relation }) => relation?.object === target);
  if (field === undefined) throw new Error(`${linkObject.name} does not point to ${target}.`);
  return field;
}
