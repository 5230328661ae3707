import { z } from "zod";
import { checkModes } from "../../crm/modes.ts";
import { getObjects } from "../../crm/load-objects.ts";
import type { CrmObject, Objects } from "../../crm/objects.ts";
import {
  cancelImport,
  createImport,
  getImport,
  listImports,
  listRefusals,
  type Import,
} from "../../crm/transfer/imports.ts";
import { receiveFile } from "../../crm/transfer/receive.ts";
import { refusedFile } from "../../crm/transfer/refused-file.ts";
import { formats, importSettings, type ImportSettings } from "../../crm/transfer/settings.ts";
import { checkMapping } from "../../crm/transfer/targets.ts";
import { unknownField } from "../../crm/values.ts";
import { ProblemError, StepError, type Issue } from "../../errors.ts";
import { ringRelay } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import { parseJson } from "../body/parse-json.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery } from "../schemas.ts";
import { fileName, fileTypes, findObject } from "./files.ts";

const count = z.int().min(0);
const importShape = z
  .object({
    id,
    object: z.string(),
    format: z.enum(formats),
    settings: importSettings,
    status: z
      .enum(["waiting", "receiving", "completed", "cancelled"])
      .meta({ description: "`waiting`: for the file, or for the rest of it" }),
    columns: z.array(z.string()).nullable().meta({ description: "Of CSV: its first row" }),
    offset: count.meta({ description: "Bytes of the file that are done with, as they are without gzip" }),
    row: count.meta({ description: "The last row that is done with, as a spreadsheet counts" }),
    created: count,
    updated: count,
    unchanged: count,
    refused: count,
    createdAt: moment,
    updatedAt: moment,
    endedAt: moment.nullable(),
  })
  .meta({ id: "Import" });
const wanted = z
  .strictObject({
    object: z.string().meta({ description: "Its name, such as person" }),
    format: z.enum(formats).default("csv"),
    ...importSettings.shape,
  })
  .meta({ id: "ImportWanted" });
const refusedRow = z
  .object({
    row: count,
    code: z.string(),
    message: z.string(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })),
    content: json.meta({ description: "The row as it came: cells, an object, or text that could not be read" }),
  })
  .meta({ id: "RefusedRow" });
const refusedQuery = pageQuery.extend({ cursor: z.coerce.number().int().min(0).optional() });
const lost = { 404: "There is no such import" };

/** `/api/imports`: files of records, sent in any number of goes. */
export function importEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/imports",
      tag: "Imports",
      summary: "Imports, newest first",
      query: pageQuery,
      answers: { 200: pageOf(importShape) },
      async handle({ workspace, query: { limit, cursor } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const found = await listImports(pool, { workspaceId: workspace.id, limit: limit + 1, before });
        return { body: toPage(found.map(describe), limit) };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/imports",
      tag: "Imports",
      summary: "Begin an import: say what the file is and where its columns go",
      body: wanted,
      answers: { 201: importShape },
      async handle({ workspace, body: { object: name, format, ...settings } }) {
        const objects = await getObjects(pool, workspace);
        const object = findObject(objects, name, "object");
        const issues = checkSettings({ objects, object }, settings);
        if (issues.length > 0) throw new ProblemError(422, "invalid-body", "The body is not valid.", { issues });
        const made = await createImport(pool, { workspaceId: workspace.id, object: object.name, format, settings });
        return { status: 201, body: describe(made) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/imports/{id}",
      tag: "Imports",
      summary: "How far an import is",
      params: idParams,
      answers: { 200: importShape },
      refusals: lost,
      handle: async ({ workspace, params }) => ({
        body: describe(await getImport(pool, { workspaceId: workspace.id, id: params.id })),
      }),
    }),
    dataEndpoint(pool),
    defineEndpoint({
      method: "post",
      path: "/api/imports/{id}/cancel",
      tag: "Imports",
      summary: "Take no more of a file; what was imported stays",
      params: idParams,
      answers: { 200: importShape },
      refusals: { ...lost, 409: "It is completed" },
      handle: async ({ workspace, params }) => ({
        body: describe(await cancelImport(pool, { workspaceId: workspace.id, id: params.id })),
      }),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/imports/{id}/refused",
      tag: "Imports",
      summary: "Rows that were refused, in the file's order, each with why",
      params: idParams,
      query: refusedQuery,
      answers: { 200: pageOf(refusedRow) },
      refusals: lost,
      async handle({ workspace, params, query: { limit, cursor = 0 } }) {
        await getImport(pool, { workspaceId: workspace.id, id: params.id });
        const rows = await listRefusals(pool, { id: params.id, limit: limit + 1, after: cursor });
        const data = rows.slice(0, limit);
        return { body: { data, nextCursor: rows.length > limit ? String(data.at(-1)?.row) : null } };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/imports/{id}/refused/file",
      tag: "Imports",
      summary: "Rows that were refused, as a file to mend and send with another import",
      description:
        "In the format and with the columns of the file they came from, and `_row` and `_reason` beside them.",
      params: idParams,
      givesFile: Object.values(fileTypes),
      answers: {},
      refusals: lost,
      async handle({ workspace, params }) {
        const found = await getImport(pool, { workspaceId: workspace.id, id: params.id });
        const file = { type: fileTypes[found.format], name: fileName(`${found.object}-refused`, found.format) };
        return { file: { ...file, pieces: refusedFile(pool, found) } };
      },
    }),
  ];
}

function dataEndpoint(pool: SqlPool): Endpoint {
  return defineEndpoint({
    method: "put",
    path: "/api/imports/{id}/data",
    tag: "Imports",
    summary: "Send the file",
    description:
      "Of any size, plain or with `Content-Encoding: gzip`. Broken off, it is sent again, from its beginning or, with the header `Upload-Offset`, from `offset` on: it goes on exactly where it was. With `Upload-Complete: ?0` more of the file comes with another request. A completed import answers as it is.",
    params: idParams,
    takesFile: Object.values(fileTypes),
    answers: { 200: importShape },
    refusals: {
      ...lost,
      400: "The connection broke off, or the file is not valid gzip",
      409: "Another sender is at it, it is cancelled, or this is another file or another offset",
      415: "The file is encoded otherwise, or sent in a form",
      422: "The first row names columns that go nowhere; `issues` names each",
    },
    async handle({ workspace, actor, params, header, file }) {
      if (header("content-type")?.startsWith("multipart/") === true)
        throw new ProblemError(
          415,
          "unsupported-media-type",
          "A form is not read here. Send the file itself as the body: curl -T file.csv.",
        );
      const offset = header("upload-offset");
      if (offset !== undefined && !/^\d{1,15}$/.test(offset))
        throw new ProblemError(400, "malformed-request", "Upload-Offset takes a number of bytes.");
      const written = (): void => ringRelay(pool);
      const context = { pool, workspace, parseJson, written, actor: { ...actor, source: "IMPORT" as const } };
      const sent = {
        id: params.id,
        source: file,
        offset: offset === undefined ? undefined : Number(offset),
        isWhole: header("upload-complete") !== "?0",
      };
      return { body: describe(await receiveFile(context, sent).catch(explain)) };
    },
  });
}

/** What keeps a whole batch from being written. */
function explain(error: unknown): never {
  if (!(error instanceof StepError)) throw error;
  const status = error.retryable ? 503 : 409;
  throw new ProblemError(status, error.code, error.message, { cause: error });
}

function checkSettings(
  { objects, object }: { objects: Objects; object: CrmObject },
  { mapping, match, modes }: ImportSettings,
): Issue[] {
  const unknown = match.flatMap((name, position) =>
    name === "id" || object.field(name) !== undefined
      ? []
      : [{ path: `match[${position}]`, message: unknownField(object, name) }],
  );
  return [...checkMapping({ objects, object }, mapping), ...unknown, ...checkModes(object, modes, "modes")];
}

function describe({ header, ...rest }: Import) {
  const { id: importId, object, format, settings, status, ...progress } = rest;
  return { id: importId, object, format, settings, status, columns: header?.names ?? null, ...progress };
}
