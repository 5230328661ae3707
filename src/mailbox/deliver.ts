import { asUnsure, StepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { Mail, MailTransport, Refusal, Sent } from "./transport.ts";

/** What is the same in all messages. */
export type MailContent = Pick<Mail, "from" | "replyTo" | "subject" | "text" | "html" | "attachments">;

/** Whom one message is for, under its Message-ID. */
export type Envelope = Pick<Mail, "messageId" | "to" | "cc" | "bcc">;

/** Messages as stored before the first attempt. Version 1 kept the content in each message. */
export interface MailRequest {
  readonly content?: MailContent;
  readonly messages: ReadonlyArray<Envelope & Partial<MailContent>>;
}

/** Recipients that earlier attempts are done with, by Message-ID. */
type Progress = {
  readonly [messageId: string]: {
    readonly accepted: string[];
    readonly refused: { address: string; reason: string }[];
  };
};

/** Where an attempt to deliver stands. */
export interface Delivery {
  readonly signal: AbortSignal;
  /** What earlier attempts got through; `save` commits it. */
  readonly progress: JsonObject;
  save(progress: JsonObject): Promise<void>;
}

/** How the mails came out, in words too. */
export interface Delivered {
  readonly output: JsonObject;
  readonly outcome: string;
}

/**
 * Sends each message to those who are left of its recipients, and saves after each what the server said.
 * Who was accepted or refused for good by an earlier attempt is not asked again; of what one is refused
 * the others know nothing. Throws StepError: `mail-unavailable` while somebody is left, `mail-refused`
 * when nobody was accepted.
 */
export async function deliverMail(
  mail: MailTransport,
  delivery: Delivery,
  { content, messages }: MailRequest,
): Promise<Delivered> {
  let progress = delivery.progress as Progress;
  const later: Refusal[] = [];
  for (const message of messages) {
    const done = progress[message.messageId] ?? { accepted: [], refused: [] };
    const gone = new Set([...done.accepted, ...done.refused.map((one) => one.address)]);
    const recipients = recipientsOf(message).filter((one) => !gone.has(one));
    if (recipients.length === 0) continue;
    delivery.signal.throwIfAborted();
    const written = { subject: "", ...content, ...message, recipients };
    const sent = await mail.send(written, delivery.signal).catch((error: unknown) => {
      // Where somebody was reached nobody may say that nothing was done, whatever it failed of later.
      throw isAnyAccepted(progress) ? asUnsure(error) : error;
    });
    later.push(...sent.refused.filter((one) => !one.permanent));
    progress = { ...progress, [message.messageId]: addTo(done, sent) };
    await delivery.save(progress as unknown as JsonObject);
  }
  const so = standing(messages, progress);
  if (later[0] !== undefined) throw putOff(later[0], { so, later });
  return outcomeOf(messages, so);
}

function isAnyAccepted(progress: Progress): boolean {
  return Object.values(progress).some(({ accepted }) => accepted.length > 0);
}

function addTo(done: Progress[string], sent: Sent): Progress[string] {
  const refused = sent.refused.filter((one) => one.permanent).map(({ address, reason }) => ({ address, reason }));
  return { accepted: [...done.accepted, ...sent.accepted], refused: [...done.refused, ...refused] };
}

function recipientsOf({ to, cc, bcc }: Envelope): string[] {
  return [...to, ...cc, ...bcc].map(({ address }) => address);
}

interface Standing {
  readonly accepted: string[];
  readonly refused: { address: string; reason: string }[];
}

function standing(messages: readonly Envelope[], progress: Progress): Standing {
  return {
    accepted: messages.flatMap(({ messageId }) => progress[messageId]?.accepted ?? []),
    refused: messages.flatMap(({ messageId }) => progress[messageId]?.refused ?? []),
  };
}

/** The error says who has it, so that it can be told even when nothing more is tried. */
function putOff(first: Refusal, { so, later }: { so: Standing; later: readonly Refusal[] }): StepError {
  const deferred = later.map(({ address, reason }) => ({ address, reason }));
  return new StepError("mail-unavailable", `The mail server put off ${first.address}: ${first.reason}.`, {
    retryable: true,
    details: {
      ...so,
      deferred,
      ...(first.status === undefined ? {} : { status: first.status }),
      ...(so.accepted.length > 0 ? { unsure: true } : {}),
    },
  });
}

function outcomeOf(messages: readonly Envelope[], { accepted, refused }: Standing): Delivered {
  if (accepted.length === 0)
    throw new StepError(
      "mail-refused",
      `The mail server refused every recipient: ${refused[0]?.reason ?? "no reason given"}.`,
      { details: { refused } },
    );
  return {
    output: { messageIds: messages.map(({ messageId }) => messageId), accepted, refused },
    outcome: `${accepted.length} accepted${refused.length > 0 ? `, ${refused.length} refused` : ""}`,
  };
}
