import { z } from "zod";
import type { SqlPool } from "../../sql.ts";
import { listAudit } from "../../vault/audit.ts";
import type { Audit } from "../audit.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, moment, pageOf, pageQuery } from "../schemas.ts";

const outcome = z.enum(["done", "refused", "failed", "unknown"]);
const digest = z.string().nullable();
const entry = z
  .object({
    id,
    at: moment,
    actor: z
      .object({ kind: z.string(), id: z.string().nullable(), name: z.string() })
      .meta({ description: "Who called" }),
    action: z.string().meta({ example: "POST /api/workflows/{id}/activate" }),
    target: z.string().meta({ description: "The path that was asked for" }),
    requestId: z.string().meta({ description: "As X-Request-Id brought or answered it" }),
    ip: z.string().nullable(),
    outcome: outcome.meta({ description: "unknown: it is under way, or the process ended before it knew" }),
    status: z.int().nullable(),
    code: z.string().nullable().meta({ description: "Why it was refused" }),
    before: digest.meta({
      description: "SHA-256 of what a reader saw of the target before; null: nothing, or nobody looked",
    }),
    after: digest,
    changed: z.array(z.string()).nullable().meta({ description: "Names of what differs between the two" }),
  })
  .meta({ id: "AuditEntry" });
const time = z.iso.datetime({ offset: true }).optional();
const query = pageQuery.extend({
  actor: z.string().optional().meta({ description: "Id of a key" }),
  action: z.string().optional(),
  target: z.string().optional().meta({ description: "A path, with all that lies under it" }),
  outcome: outcome.optional(),
  requestId: z.string().optional(),
  from: time,
  to: time,
});

/** `/api/audit`: who changed what. */
export function auditEndpoints({ pool, audit }: { pool: SqlPool; audit: Audit }): Endpoint[] {
  return [
    defineEndpoint({
      tag: "Audit",
      method: "get",
      path: "/api/audit",
      summary: "Calls that may have changed something, latest first",
      query,
      answers: { 200: pageOf(entry) },
      async handle({ workspace, query: { limit, cursor, from, to, ...filter } }) {
        await audit.settled();
        const entries = await listAudit(pool, {
          ...filter,
          workspaceId: workspace.id,
          limit: limit + 1,
          after: cursor === undefined ? undefined : decodeCursor(cursor),
          from: from === undefined ? undefined : new Date(from),
          to: to === undefined ? undefined : new Date(to),
        });
        return { body: toPage(entries, limit) };
      },
    }),
  ];
}
