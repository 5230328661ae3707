import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import { findStepList, readListPages } from "../../runs/step-lists.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, json, pageOf, pageQuery } from "../schemas.ts";

const listParams = z.strictObject({
  id,
  path: z.string().min(1).max(1_000).meta({ description: "`path` of the list, as the run has it: `each[42].found`" }),
});

const listQuery = pageQuery.extend({
  name: z
    .string()
    .max(2_000)
    .default("")
    .meta({ description: "`name` of the list; without it the output itself is the list" }),
  cursor: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .meta({ description: "`nextCursor` of the page before: the index of the first item" }),
});

/** `/api/runs/{id}/steps/{path}/list`: long lists of outputs, which a run itself only counts. */
export function stepListEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/runs/{id}/steps/{path}/list",
      tag: "Runs",
      summary: "Items of a long list that a step gave",
      params: listParams,
      query: listQuery,
      answers: { 200: pageOf(json) },
      async handle({ workspace, params: { id: runId, path }, query: { name, limit, cursor } }) {
        const list = { runId, path, name };
        const count = await findStepList(pool, { ...list, workspaceId: workspace.id });
        if (count === undefined) throw listNotFound(path, name);
        const end = Math.min(cursor + limit, count);
        const data: unknown[] = [];
        for await (const { items } of readListPages(pool, { ...list, count: end }, cursor)) data.push(...items);
        return { body: { data, nextCursor: end < count ? String(end) : null } };
      },
    }),
  ];
}

function listNotFound(path: string, name: string): ProblemError {
  return new ProblemError(
    404,
    "list-not-found",
    `The run has no step ${path} with a long list "${name}". The run names those that there are, by "lists".`,
  );
}
