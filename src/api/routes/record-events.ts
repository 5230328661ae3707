import { z } from "zod";
import { listRecordEvents } from "../../runs/record-events.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, json, moment, pageOf, pageQuery } from "../schemas.ts";

const event = z
  .object({
    id: z.int(),
    object: z.string(),
    recordId: id,
    kind: z.enum(["created", "updated", "deleted", "restored", "destroyed"]),
    before: json,
    after: json,
    changedFields: z.array(z.string()),
    actor: json,
    origin: json.meta({ description: "The run that wrote: `{ runId, workflowId, depth }`; null: none did" }),
    createdAt: moment,
    runIds: z
      .array(id)
      .meta({ description: "Runs that it started by itself, not as part of a list or after a debounce" }),
  })
  .meta({ id: "RecordEvent" });

const query = pageQuery.extend({
  record: id.meta({ description: "The id of a record" }),
  cursor: z.coerce.number().int().min(0).optional(),
});

/** `/api/record-events`: what happened to a record, and what that started. */
export function recordEventEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/record-events",
      tag: "Runs",
      summary: "Changes of a record and the runs that they started, newest first",
      query,
      answers: { 200: pageOf(event) },
      async handle({ workspace, query: { record: recordId, cursor: before, limit } }) {
        const rows = await listRecordEvents(pool, { workspaceId: workspace.id, recordId, before, limit: limit + 1 });
        const data = rows.slice(0, limit);
        const last = rows.length > limit ? data.at(-1) : undefined;
        return { body: { data, nextCursor: last === undefined ? null : String(last.id) } };
      },
    }),
  ];
}
