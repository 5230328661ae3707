import type { Request } from "express";
import { z } from "zod";
import type { CrmObject } from "../../crm/objects.ts";
import { checkValues } from "../../crm/values.ts";
import { sentence } from "../../definition/suggest.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { isUuid } from "../../ids.ts";
import { isJsonObject, type JsonObject } from "../../json.ts";
import { toIssues } from "../endpoint.ts";
import { readDocument } from "../mount.ts";
import { fromSpellings } from "./spellings.ts";

/** The body as the fields of one record, under the object's own names. Throws a 400. */
export async function readRecord(object: CrmObject, request: Request): Promise<JsonObject> {
  const body = await readDocument(request, false);
  if (isJsonObject(body)) return fromSpellings(object, body);
  throw new ProblemError(400, "invalid-body", 'The body must be an object of fields, as in {"name": …}.');
}

/** Rows of one batch. Twenty's documents say 60. */
export const mostRows = 1_000;

/** The body as a list of records. */
export async function readRecords(object: CrmObject, request: Request): Promise<JsonObject[]> {
  const body = await readDocument(request, false);
  if (!Array.isArray(body) || !body.every((row) => isJsonObject(row)))
    throw new ProblemError(
      400,
      "invalid-body",
      'The body must be a list of records, as in [{"name": …}, {"name": …}].',
    );
  if (body.length > mostRows)
    throw new ProblemError(
      400,
      "invalid-body",
      `The body has ${body.length} records; a batch takes ${mostRows} at most.`,
    );
  return body.map((row) => fromSpellings(object, row));
}

/** An id in a body, in the case that Postgres writes it. */
export const recordId = z
  .string()
  .refine(isUuid, "takes ids of records")
  .toLowerCase()
  .meta({ type: "string", format: "uuid" });

/** The body by a schema. */
export async function readBody<Schema extends z.ZodType>(request: Request, schema: Schema): Promise<z.output<Schema>> {
  const parsed = schema.safeParse(await readDocument(request, false));
  if (parsed.success) return parsed.data;
  throw invalid("invalid-body", toIssues(parsed.error));
}

/** The values and the id that a record may bring. Names every fault of them by its field. */
export function splitRecord(object: CrmObject, record: JsonObject): { id?: string; values: JsonObject } {
  const { id, ...values } = record;
  const issues = id === undefined || (typeof id === "string" && isUuid(id)) ? [] : [invalidId];
  checkRecord(object, values, issues);
  return typeof id === "string" ? { id: id.toLowerCase(), values } : { values };
}

const invalidId: Issue = { path: "id", message: "takes a UUID, or is left out" };

/** Throws a 400 that names every fault of the values by its field, besides those that were found already. */
export function checkRecord(object: CrmObject, values: JsonObject, found: readonly Issue[] = []): void {
  const { issues } = checkValues(object, values, "");
  const cleared = object.fields.filter((field) => field.required && values[field.name] === null);
  const faults = [...found, ...issues, ...cleared.map(({ name }) => ({ path: name, message: "must have a value" }))];
  if (faults.length > 0) throw invalid("invalid-values", faults);
}

/** A 400 that has every fault by itself, and all of them in its sentence. */
export function invalid(code: "invalid-values" | "invalid-body", issues: readonly Issue[]): ProblemError {
  const sentences = issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`));
  return new ProblemError(400, code, sentence(sentences.join("; ")), { issues });
}
