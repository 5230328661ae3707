import type { Request } from "express";
import {
  createRecords,
  updateRecords,
  upsertRecords,
  type Batch,
  type Refusal,
  type RowOutcome,
} from "../../crm/batch.ts";
import type { CrmObject } from "../../crm/objects.ts";
import { unknownField } from "../../crm/values.ts";
import { sentence } from "../../definition/suggest.ts";
import { ProblemError, StepError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { readRecords } from "./body.ts";
import { under, type Place } from "./place.ts";
import { createManyQuery, parseQuery, updateManyQuery } from "./query.ts";
import { present, shapeOf, type Shape } from "./shape.ts";

/** `POST /rest/batch/people`: all of them, or none; with `atomic=false` those that can be. */
export async function createMany(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, createManyQuery);
  const shape = shapeOf(object, query);
  const match = query.upsert === "true" ? matchOf(object, query.match) : undefined;
  const batch = { object, rows: await readRecords(object, request), atomic: query.atomic !== "false" };
  const outcomes =
    match === undefined ? await createRecords(writer, batch) : await upsertRecords(writer, { ...batch, match });
  return answer(place, { verb: "create", batch, outcomes, shape });
}

/** `PATCH /rest/batch/people`: each row has the id of the record that it changes. */
export async function updateMany(place: Place, request: Request): Promise<object> {
  const { object, writer } = place;
  const query = parseQuery(request, updateManyQuery);
  const shape = shapeOf(object, query);
  const batch = { object, rows: await readRecords(object, request), atomic: query.atomic !== "false" };
  const outcomes = await updateRecords(writer, batch);
  return answer(place, { verb: "update", batch, outcomes, shape });
}

interface Answered {
  readonly verb: "create" | "update";
  readonly batch: Batch;
  readonly outcomes: readonly RowOutcome[];
  readonly shape: Shape;
}

async function answer(place: Place, { verb, batch, outcomes, shape }: Answered): Promise<object> {
  const records = outcomes.flatMap(({ record }) => (record === null ? [] : [record]));
  const data = { [under(verb, place.object.plural)]: await present(place, records, shape) };
  return batch.atomic === true ? { data } : { data, outcomes: outcomes.map(describeOutcome) };
}

function describeOutcome({ record: _record, ...outcome }: RowOutcome): object {
  return outcome;
}

/** Makes a record, or changes the one that is the same. */
export async function upsertOne(
  { object, writer }: Place,
  record: JsonObject,
  query: { match?: string | undefined },
): Promise<JsonObject> {
  const [outcome] = await upsertRecords(writer, { object, rows: [record], match: matchOf(object, query.match) });
  if (outcome?.refusal !== undefined) throw refusalError(outcome.refusal);
  if (outcome?.record === undefined || outcome.record === null) throw new Error(`${object.name}: nothing was written.`);
  return outcome.record;
}

function refusalError({ code, message, issues = [] }: Refusal): StepError {
  return new StepError(code, message, {
    details: { issues: issues.map(({ path, message: said }) => ({ path, message: said })) },
  });
}

/** The fields of `match`; without it a record is matched by its id, or by a unique field. */
function matchOf(object: CrmObject, source = ""): string[] {
  const names = source.split(",").map((name) => name.trim());
  if (source.trim() === "") return [];
  const wrong = names.find((name) => name !== "id" && object.field(name) === undefined);
  if (wrong === undefined) return names;
  const message = `names "${wrong}": ${unknownField(object, wrong)}`;
  throw new ProblemError(400, "invalid-query", sentence(`match ${message}`), { issues: [{ path: "match", message }] });
}
