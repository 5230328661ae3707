import { z } from "zod";
import { requireFirstWorkspace } from "../../catalog/workspaces.ts";
import { ProblemError } from "../../errors.ts";
import { findMessage, listMessages } from "../../mailbox/messages.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, moment, pageOf, pageQuery } from "../schemas.ts";

const mostMessages = 10_000;

const message = z
  .object({
    id,
    receivedAt: moment,
    from: z.string(),
    to: z.array(z.string()).meta({ description: "Everybody it was sent to, Bcc included" }),
    subject: z.string(),
    text: z.string().nullable(),
    html: z.string().nullable(),
    headers: z.record(z.string(), z.string()).meta({ description: "By lower-case name" }),
  })
  .meta({ id: "Message" });

const firstOnly = { 403: "The key is not one of the first workspace" };

/**
 * `/api/mailbox`: the mails that Tandem's own mailbox got, where no mail server is configured. A mail does
 * not say which workspace it came from, so only those read them who look after the installation.
 */
export function mailboxEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/mailbox",
      tag: "Mailbox",
      summary: "List the mails that were received, newest first",
      query: pageQuery.extend({
        limit: z.coerce.number().int().min(1).max(mostMessages).default(60).meta({ description: "How many at most" }),
      }),
      answers: { 200: pageOf(message) },
      refusals: firstOnly,
      async handle({ workspace, query }) {
        await requireFirstWorkspace(pool, workspace, "Mails are read");
        const before = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
        return { body: toPage(await listMessages(pool, { limit: query.limit + 1, before }), query.limit) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/mailbox/{id}",
      tag: "Mailbox",
      summary: "Read one mail",
      params: idParams,
      answers: { 200: message },
      refusals: { ...firstOnly, 404: "There is no such mail" },
      async handle({ workspace, params }) {
        await requireFirstWorkspace(pool, workspace, "Mails are read");
        const found = await findMessage(pool, params.id);
        if (found === undefined) throw new ProblemError(404, "mail-not-found", `There is no mail ${params.id}.`);
        return { body: found };
      },
    }),
  ];
}
