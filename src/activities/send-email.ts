import { z } from "zod";
import { at, StepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import { parseAddress, type Address } from "../mailbox/address.ts";
import { renderMarkdown } from "../mailbox/markdown.ts";
import type { Mail, MailTransport, Refusal, Sent } from "../mailbox/transport.ts";
import type { OutsideContext, OutsideKind } from "./step-kind.ts";

const mostRecipients = 50;

/** Null: nobody, as an empty field of a record gives it. */
const address = z.string().transform((text, context): Address | null => {
  if (text.trim() === "") return null;
  const parsed = parseAddress(text);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: `${JSON.stringify(text.slice(0, 80))} is no e-mail address` });
  return z.NEVER;
});
/** Addresses; one may stand by itself. */
const addresses = z.union([z.array(address), address.transform((one) => [one])]);
/** A line break here would begin another header. */
const oneLine = z
  .string()
  .max(2_000)
  .refine((text) => !/[\r\n]/.test(text) && !text.includes("\u0000"), "a subject is one line");
const body = z
  .string()
  .max(1_048_576)
  .refine((text) => !text.includes("\u0000"), "text cannot hold NUL");

const input = z
  .strictObject({
    // Its expression may have been dropped; `check` wants it written.
    to: addresses.default([]),
    cc: addresses.default([]),
    bcc: addresses.default([]),
    subject: oneLine,
    text: body.optional(),
    html: body.optional(),
    markdown: body.optional(),
    oneEach: z.boolean().default(false),
  })
  .refine(
    ({ text, html, markdown }) => text !== undefined || html !== undefined || markdown !== undefined,
    `a mail needs "text", "html" or "markdown"`,
  )
  .refine(
    ({ html, markdown }) => html === undefined || markdown === undefined,
    `"markdown" becomes the mail's HTML: write it or "html"`,
  );

type Input = z.output<typeof input>;

/** Messages as stored before the first attempt, each with its Message-ID. */
type Request = { readonly messages: ReadonlyArray<Omit<Mail, "recipients">> };

/** Recipients that earlier attempts are done with, by Message-ID. */
type Progress = {
  readonly [messageId: string]: {
    readonly accepted: string[];
    readonly refused: { address: string; reason: string }[];
  };
};

/**
 * A mail has one Message-ID a step and recipient, fixed before the first attempt. It may, rarely, arrive
 * twice: when the server took it and its answer was lost.
 */
export function createSendEmail(mail: MailTransport): OutsideKind<Input, Request & JsonObject> {
  return {
    kind: "send-email",
    effect: "outside",
    title: "Send e-mail",
    description: "Sends a mail, or one for each recipient. Its Message-ID is fixed before the first attempt.",
    version: 1,
    queue: "email",
    timeoutMs: 60_000,
    retry: { maximumAttempts: 8, initialIntervalMs: 5_000, backoffCoefficient: 2, maximumIntervalMs: 600_000 },
    input,
    output: z.object({
      messageIds: z.array(z.string()),
      accepted: z.array(z.string()),
      refused: z.array(z.object({ address: z.string(), reason: z.string() })),
    }),
    fixed: [],
    // The same Message-ID tells copies apart.
    repeatable: () => true,
    places: { subject: "text", text: "text", html: "html", markdown: "html" },
    sample: {
      input: { to: ["sales@example.com"], subject: "New lead", text: "Call them." },
      output: { messageIds: ["<3f2a@localhost>"], accepted: ["sales@example.com"], refused: [] },
    },
    check: (written, { at: place }) =>
      written["to"] === undefined ? [{ path: at(place, "to"), message: "is missing: name whom the mail goes to" }] : [],
    async prepare(_context, given, key) {
      const fields = foldRecipients(given);
      const count = fields.to.length + fields.cc.length + fields.bcc.length;
      if (count === 0)
        return { status: "skipped", outcome: "no recipient", output: { messageIds: [], accepted: [], refused: [] } };
      if (count > mostRecipients)
        throw new StepError("invalid-input", `The mail has ${count} recipients; ${mostRecipients} are allowed.`);
      const domain = mail.from.address.split("@")[1] ?? "localhost";
      return {
        request: {
          messages: messagesOf(given, fields, (suffix) => `<${key}${suffix}@${domain}>`),
        } as unknown as Request & JsonObject,
      };
    },
    perform: (context, { messages }) => sendAll(mail, context, messages),
  };
}

type Fields = Record<"to" | "cc" | "bcc", Address[]>;

/** Nobody gets it twice: of an address in several fields the first counts. */
function foldRecipients(given: Input): Fields {
  const seen = new Set<string>();
  const fold = (list: ReadonlyArray<Address | null>): Address[] =>
    list.flatMap((one) => {
      if (one === null || seen.has(one.address.toLowerCase())) return [];
      seen.add(one.address.toLowerCase());
      return [one];
    });
  return { to: fold(given.to), cc: fold(given.cc), bcc: fold(given.bcc) };
}

function messagesOf(given: Input, fields: Fields, messageId: (suffix: string) => string): Request["messages"] {
  const { subject, text, markdown, oneEach } = given;
  const html = markdown === undefined ? given.html : renderMarkdown(markdown);
  const content = { subject, ...(text === undefined ? {} : { text }), ...(html === undefined ? {} : { html }) };
  if (!oneEach) return [{ ...content, ...fields, messageId: messageId("") }];
  const everybody = [...fields.to, ...fields.cc, ...fields.bcc];
  return everybody.map((one, position) => ({
    ...content,
    to: [one],
    cc: [],
    bcc: [],
    messageId: messageId(`.${position + 1}`),
  }));
}

/** Sends each mail to those who are left of its recipients; of what one is refused the others know nothing. */
async function sendAll(mail: MailTransport, context: OutsideContext, messages: Request["messages"]) {
  let progress = context.progress as Progress;
  let later: Refusal | undefined;
  for (const message of messages) {
    const done = progress[message.messageId] ?? { accepted: [], refused: [] };
    const gone = new Set([...done.accepted, ...done.refused.map((one) => one.address)]);
    const left = recipientsOf(message).filter((one) => !gone.has(one));
    if (left.length === 0) continue;
    context.signal.throwIfAborted();
    const sent = await mail.send({ ...message, recipients: left }, context.signal);
    later = sent.refused.find((one) => !one.permanent) ?? later;
    progress = { ...progress, [message.messageId]: addTo(done, sent) };
    await context.save(progress as unknown as JsonObject);
  }
  if (later !== undefined)
    throw new StepError("mail-unavailable", `The mail server put off ${later.address}: ${later.reason}.`, {
      retryable: true,
    });
  return outcomeOf(messages, progress);
}

function addTo(done: Progress[string], sent: Sent): Progress[string] {
  const refused = sent.refused
    .filter((one) => one.permanent)
    .map(({ address: text, reason }) => ({ address: text, reason }));
  return { accepted: [...done.accepted, ...sent.accepted], refused: [...done.refused, ...refused] };
}

function recipientsOf({ to, cc, bcc }: Request["messages"][number]): string[] {
  return [...to, ...cc, ...bcc].map(({ address: text }) => text);
}

function outcomeOf(messages: Request["messages"], progress: Progress) {
  const accepted = messages.flatMap(({ messageId }) => progress[messageId]?.accepted ?? []);
  const refused = messages.flatMap(({ messageId }) => progress[messageId]?.refused ?? []);
  if (accepted.length === 0)
    throw new StepError(
      "mail-refused",
      `The mail server refused every recipient: ${refused[0]?.reason ?? "no reason given"}.`,
      { details: { refused } },
    );
  const output = { messageIds: messages.map(({ messageId }) => messageId), accepted, refused };
  return {
    output: output as unknown as JsonObject,
    outcome: `${accepted.length} accepted${refused.length > 0 ? `, ${refused.length} refused` : ""}`,
  };
}
