import type { Request } from "express";
import { deleteMatching, updateMatching } from "../../crm/matching.ts";
import { restoreMatching, restoreRecord } from "../../crm/restore.ts";
import { checkRecord, invalid, readRecord } from "./body.ts";
import { requiredFilterOf } from "./matching.ts";
import { getId, under, type Place } from "./place.ts";
import { deleteMatchingQuery, matchingQuery, parseQuery, recordQuery } from "./query.ts";
import { present, presentOne, shapeOf } from "./shape.ts";

/** `PATCH /rest/people?filter=…`: the same change of every record that matches, or of none. */
export async function updateAll(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, matchingQuery);
  const shape = shapeOf(object, query);
  const { where } = requiredFilterOf(place, query.filter);
  const values = await readRecord(object, request);
  if (values["id"] !== undefined) throw invalid("invalid-values", [{ path: "id", message: "cannot be changed" }]);
  checkRecord(object, values);
  const changes = await updateMatching(writer, { object, where, values });
  const records = changes.map(({ record }) => record);
  return { data: { [under("update", object.plural)]: await present(place, records, shape) } };
}

/** `DELETE /rest/people?filter=…` destroys every record that matches; with `soft_delete=true` it marks them. */
export async function removeAll(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, deleteMatchingQuery);
  const { where, deleted } = requiredFilterOf(place, query.filter);
  const changes = await deleteMatching(writer, {
    object,
    permanently: query.soft_delete !== "true",
    where: (statement, alias) => `${deleted ? "true" : `${alias}.deleted_at is null`} and ${where(statement, alias)}`,
  });
  return { data: { [under("delete", object.plural)]: changes.map(({ id }) => ({ id })) } };
}

/** `PATCH /rest/people/{id}/restore` */
export async function restore(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const shape = shapeOf(object, parseQuery(request, recordQuery));
  const { record } = await restoreRecord(writer, { object, id: getId(object, request) });
  return { data: { [under("restore", object.name)]: await presentOne(place, record, shape) } };
}

/** `PATCH /rest/people/restore?filter=…`: every deleted record that matches. */
export async function restoreAll(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, matchingQuery);
  const shape = shapeOf(object, query);
  const { where } = requiredFilterOf(place, query.filter);
  const changes = await restoreMatching(writer, {
    object,
    where: (statement, alias) => `${alias}.deleted_at is not null and ${where(statement, alias)}`,
  });
  const records = changes.map(({ record }) => record);
  return { data: { [under("restore", object.plural)]: await present(place, records, shape) } };
}
