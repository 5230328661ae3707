import { z } from "zod";
import { listOpenAlerts, type OpenAlert } from "../../runs/alerts/store.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, json, moment, pageOf, pageQuery } from "../schemas.ts";

const group = z.object({
  step: z.string().nullable().meta({ description: "Null: the run failed outside its steps" }),
  code: z.string(),
  count: z.int(),
  runId: id.meta({ description: "The last run that failed so" }),
  message: z.string(),
  failedAt: moment,
});
const mail = z.object({
  kind: z.enum(["first", "digest", "resolved"]),
  createdAt: moment,
  sentAt: moment.nullable(),
  dueAt: moment.nullable().meta({ description: "When it is tried; null: it is sent, or was given up" }),
  error: json.meta({ description: "Why the last try failed; null: it did not" }),
});
const alert = z
  .object({
    id: id.meta({ description: "The workflow's" }),
    workflowKey: z.string(),
    workflowName: z.string(),
    since: moment.nullable().meta({ description: "The first failure since it last worked" }),
    failures: z.int(),
    lastFailedAt: moment.nullable(),
    untold: z.int().meta({ description: "Failures that the next mail tells of" }),
    groups: z.array(group).meta({ description: "Those, by step and reason, twenty at most" }),
    mail: mail.nullable().meta({ description: "The last mail about it" }),
  })
  .meta({ id: "Alert" });

/** `/api/alerts`: workflows that fail now, and what was told of it. */
export function alertEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/alerts",
      tag: "Runs",
      summary: "Workflows that fail, until they work again, and the mails about it",
      query: pageQuery,
      answers: { 200: pageOf(alert) },
      async handle({ workspace, query: { limit, cursor } }) {
        const after = cursor === undefined ? undefined : decodeCursor(cursor);
        const rows = await listOpenAlerts(pool, { workspaceId: workspace.id, limit: limit + 1, after });
        const { data, nextCursor } = toPage(rows, limit);
        return { body: { data: data.map(describe), nextCursor } };
      },
    }),
  ];
}

function describe({ alert: { since, failures, lastFailedAt, untold, groups }, ...rest }: OpenAlert) {
  const shown = groups.map(({ attempts: _attempts, ...group }) => group);
  return { ...rest, since, failures, lastFailedAt, untold, groups: shown };
}
