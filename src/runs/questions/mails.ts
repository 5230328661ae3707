import { StepError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import type { Log } from "../../log.ts";
import { deliverMail, type Envelope, type MailContent } from "../../mailbox/deliver.ts";
import { writeMessageId, type MailTransport } from "../../mailbox/transport.ts";
import type { Sql, SqlPool } from "../../sql.ts";
import { createLoop, type Loop } from "../loop.ts";
import { linkToken } from "./link.ts";
import { answerableSql } from "./read.ts";

/** For so long a question's mails are in the hands of the process that sends them; then another one may. */
const leaseSeconds = 120;
/** What one try may take. */
const tryMs = 60_000;
const pauseSeconds = 30;
const restMs = 1_000;
/** Mails to each assignee, the first included: who has not answered by then is left alone. */
const mostMails = 20;

export interface QuestionMailParts {
  readonly pool: SqlPool;
  readonly mail: MailTransport;
  /** What the links in them start with. */
  readonly publicUrl: string;
}

/** Tells those who are asked, and reminds them, for ever. What is to be sent is rows: each process may die at any line. */
export function createQuestionMails({ log, ...parts }: QuestionMailParts & { readonly log: Log }): Loop {
  return createLoop({
    work: "sending mails about questions",
    log,
    round: async () => ((await sendNextQuestion(parts)) ? 0 : restMs),
  });
}

interface DueQuestion {
  readonly id: string;
  readonly title: string;
  readonly details: string | null;
  readonly assignees: string[];
  readonly deadline: Date | null;
  readonly mails: number;
  readonly progress: JsonObject;
  readonly workflowName: string;
  readonly timeZone: string;
}

/**
 * Sends the mails of the question whose mails are due first: to each assignee one with a link of their own,
 * under a Message-ID that stays. False: none is due.
 */
export async function sendNextQuestion(parts: QuestionMailParts): Promise<boolean> {
  const { pool, mail } = parts;
  const question = await claimQuestion(pool);
  if (question === undefined) return false;
  try {
    let progress = question.progress;
    for (const [position, assignee] of question.assignees.entries()) {
      const message = await composeMail(parts, question, { position, assignee });
      const save = async (saved: JsonObject): Promise<void> => {
        progress = saved;
        await saveProgress(pool, question.id, saved);
      };
      await deliverMail(mail, { signal: AbortSignal.timeout(tryMs), progress, save }, message).catch(unlessRefused);
    }
    await mailsSent(pool, question.id);
  } catch (error) {
    if (!(error instanceof StepError) && !isTimeout(error)) throw error;
    await mailsPutOff(pool, question.id);
  }
  return true;
}

/** Of an address that the server refuses for good there is nothing to try again: the others are told. */
function unlessRefused(error: unknown): void {
  if (!(error instanceof StepError) || error.code !== "mail-refused") throw error;
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === "TimeoutError";
}

async function composeMail(
  { pool, mail, publicUrl }: QuestionMailParts,
  question: DueQuestion,
  { position, assignee }: { position: number; assignee: string },
): Promise<{ content: MailContent; messages: Envelope[] }> {
  const { id, title, details, deadline, mails, workflowName, timeZone } = question;
  const link = `${publicUrl}/questions/${await linkToken(pool, { questionId: id, position })}`;
  const until =
    deadline === null
      ? []
      : [
          `It can be answered until ${deadline.toLocaleString("en-GB", { timeZone, dateStyle: "full", timeStyle: "long" })}.`,
        ];
  const parts = [
    `"${workflowName}" waits for an answer:`,
    title,
    ...(details === null ? [] : [details]),
    `Answer here: ${link}`,
    ...until,
    "The link is yours: whoever has it can answer in your name. The first answer counts.",
  ];
  const subject = `${mails === 0 ? "" : "Reminder: "}${title}`.replaceAll(/[\r\n]+/g, " ");
  return {
    content: { subject, text: parts.join("\n\n") },
    messages: [
      {
        messageId: writeMessageId(mail, `question.${id}.${mails + 1}.${position + 1}`),
        to: [{ name: "", address: assignee }],
        cc: [],
        bcc: [],
      },
    ],
  };
}

async function claimQuestion(sql: Sql): Promise<DueQuestion | undefined> {
  const { rows } = await sql.query<DueQuestion>({
    name: "claim_question_mails",
    text: `update tandem.questions q set mail_due_at = now() + interval '${leaseSeconds} seconds'
      from tandem.runs r, tandem.workflows f, tandem.workspaces w
      where q.id = (select o.id from tandem.questions o join tandem.runs s on s.id = o.run_id
          where o.mail_due_at <= now() and ${answerableSql("o", "s")}
          order by o.mail_due_at limit 1 for no key update of o skip locked)
        and r.id = q.run_id and f.id = r.workflow_id and w.id = q.workspace_id
      returning q.id, q.title, q.details, q.assignees, q.deadline, q.mails, q.mail_progress as progress,
        f.name as "workflowName", w.time_zone as "timeZone"`,
  });
  return rows[0];
}

async function saveProgress(sql: Sql, id: string, progress: JsonObject): Promise<void> {
  await sql.query({
    name: "save_question_progress",
    text: "update tandem.questions set mail_progress = $2::jsonb where id = $1::uuid",
    values: [id, JSON.stringify(progress)],
  });
}

async function mailsSent(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: "question_mails_sent",
    text: `update tandem.questions set mails = mails + 1, mail_progress = '{}',
        mail_due_at = case when mails + 1 < ${mostMails} then now() + remind_ms * interval '1 millisecond' end
      where id = $1::uuid`,
    values: [id],
  });
}

async function mailsPutOff(sql: Sql, id: string): Promise<void> {
  await sql.query({
    name: "question_mails_put_off",
    text: `update tandem.questions set mail_due_at = now() + interval '${pauseSeconds} seconds' where id = $1::uuid`,
    values: [id],
  });
}
