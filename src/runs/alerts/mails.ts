import { z } from "zod";
import { StepError } from "../../errors.ts";
import { createId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { Address } from "../../mailbox/address.ts";
import { deliverMail } from "../../mailbox/deliver.ts";
import { writeMessageId, type MailTransport } from "../../mailbox/transport.ts";
import type { Sql, SqlPool } from "../../sql.ts";
import type { MailKind } from "./alert.ts";
import type { Composed } from "./compose.ts";

/** For so long a mail is in the hands of the process that sends it; then another one may. */
const leaseMs = 120_000;
/** What one try may take. */
const tryMs = 60_000;
const firstPauseMs = 30_000;
const longestPauseMs = 3_600_000;
/** A mail that nobody took for so long is given up. */
const patienceMs = 3 * 86_400_000;

/** A mail about a workflow's failures, to be sent. */
export interface NewAlertMail extends Composed {
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly kind: MailKind;
  readonly recipients: readonly Address[];
}

/** Commits a mail with what it tells of, under a Message-ID that stays. */
export async function addAlertMail(
  sql: Sql,
  { from }: Pick<MailTransport, "from">,
  { mail, now }: { mail: NewAlertMail; now: Date },
): Promise<void> {
  const id = createId();
  await sql.query({
    name: "add_alert_mail",
    text: `insert into tandem.alert_mails (id, workspace_id, workflow_id, kind, message_id, recipients, subject, body, created_at, due_at)
      values ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, $6::jsonb, $7::text, $8::text, $9::timestamptz, $9::timestamptz)`,
    values: [
      id,
      mail.workspaceId,
      mail.workflowId,
      mail.kind,
      writeMessageId({ from }, `alert.${id}`),
      JSON.stringify(mail.recipients),
      mail.subject,
      mail.body,
      now,
    ],
  });
}

interface DueMail {
  readonly id: string;
  readonly workflowId: string;
  readonly messageId: string;
  readonly recipients: Address[];
  readonly subject: string;
  readonly body: string;
  readonly progress: JsonObject;
  readonly tries: number;
  readonly createdAt: Date;
}

/** How a try to send came out. */
export type AlertSent =
  | { readonly kind: "none" }
  | { readonly kind: "sent" | "later"; readonly workflowId: string }
  | { readonly kind: "given-up"; readonly workflowId: string; readonly reason: string };

/** Sends the mail that is due first, if any. Whoever dies meanwhile leaves it to be sent under the same Message-ID. */
export async function sendNextAlert(pool: SqlPool, mail: MailTransport, now: Date = new Date()): Promise<AlertSent> {
  const due = await claimMail(pool, now);
  if (due === undefined) return { kind: "none" };
  const { id, workflowId, messageId, recipients, subject, body, progress } = due;
  try {
    await deliverMail(
      mail,
      { signal: AbortSignal.timeout(tryMs), progress, save: (saved) => saveProgress(pool, id, saved) },
      { content: { subject, text: body }, messages: [{ messageId, to: recipients, cc: [], bcc: [] }] },
    );
    await pool.query({
      name: "alert_sent",
      text: "update tandem.alert_mails set sent_at = $2::timestamptz, due_at = null, error = null where id = $1::uuid",
      values: [id, now],
    });
    return { kind: "sent", workflowId };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const isLeft = failure.retryable && now.getTime() - due.createdAt.getTime() < patienceMs;
    const pauseMs = Math.min(firstPauseMs * 2 ** (due.tries - 1), longestPauseMs);
    await pool.query({
      name: "alert_not_sent",
      text: "update tandem.alert_mails set due_at = $2::timestamptz, error = $3::jsonb where id = $1::uuid and sent_at is null",
      values: [
        id,
        isLeft ? new Date(now.getTime() + pauseMs) : null,
        JSON.stringify({ code: failure.code, message: failure.message }),
      ],
    });
    return isLeft ? { kind: "later", workflowId } : { kind: "given-up", workflowId, reason: failure.message };
  }
}

/** Undefined: it is ours, such as Postgres being away; the lease brings the mail back. */
function failureOf(error: unknown): { code: string; message: string; retryable: boolean } | undefined {
  if (error instanceof StepError) return error;
  const timedOut = z.object({ name: z.literal("TimeoutError") }).safeParse(error).success;
  return timedOut
    ? { code: "timeout", message: `The mail server did not answer within ${tryMs / 1_000} s.`, retryable: true }
    : undefined;
}

async function claimMail(sql: Sql, now: Date): Promise<DueMail | undefined> {
  const { rows } = await sql.query<DueMail>({
    name: "claim_alert_mail",
    text: `update tandem.alert_mails set due_at = $2::timestamptz, tries = tries + 1
      where id = (select id from tandem.alert_mails where due_at <= $1::timestamptz order by due_at limit 1 for update skip locked)
      returning id, workflow_id as "workflowId", message_id as "messageId", recipients, subject, body, progress, tries, created_at as "createdAt"`,
    values: [now, new Date(now.getTime() + leaseMs)],
  });
  return rows[0];
}

async function saveProgress(sql: Sql, id: string, progress: JsonObject): Promise<void> {
  await sql.query({
    name: "save_alert_progress",
    text: "update tandem.alert_mails set progress = $2::jsonb where id = $1::uuid",
    values: [id, JSON.stringify(progress)],
  });
}
