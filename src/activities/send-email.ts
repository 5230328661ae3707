import { createHash } from "node:crypto";
import { z } from "zod";
import { at, StepError, type Issue } from "../errors.ts";
import { textOf, type JsonObject } from "../json.ts";
import { parseAddress } from "../mailbox/address.ts";
import { textOfMarkdown } from "../mailbox/markdown.ts";
import { renderUntrusted } from "../mailbox/render-untrusted.ts";
import { mayBeSender, writeMessageId, type MailTransport } from "../mailbox/transport.ts";
import { deliverMail, type Envelope, type MailContent, type MailRequest } from "../mailbox/deliver.ts";
import { foldRecipients, mailInput, type Fields, type MailInput } from "./mail-input.ts";
import type { OutsideKind } from "./step-kind.ts";

const mostRecipients = 50;

/**
 * A mail has one Message-ID a step and recipient, fixed before the first attempt. It may, rarely, arrive
 * twice: when the server took it and its answer was lost.
 */
export function createSendEmail(mail: MailTransport): OutsideKind<MailInput, MailRequest & JsonObject> {
  return {
    kind: "send-email",
    effect: "outside",
    title: "Send e-mail",
    description: "Sends a mail, or one for each recipient. Its Message-ID is fixed before the first attempt.",
    version: 1,
    queue: "email",
    timeoutMs: 60_000,
    retry: { maximumAttempts: 8, initialIntervalMs: 5_000, backoffCoefficient: 2, maximumIntervalMs: 600_000 },
    input: mailInput,
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
    check: (written, { at: place }) => [
      ...((written["to"] ?? null) === null
        ? [{ path: at(place, "to"), message: "is missing: name whom the mail goes to" }]
        : []),
      ...checkSender(mail, written, place),
    ],
    async prepare({ signal }, given, key) {
      const fields = foldRecipients(given);
      const count = fields.to.length + fields.cc.length + fields.bcc.length;
      if (count === 0)
        return { status: "skipped", outcome: "no recipient", output: { messageIds: [], accepted: [], refused: [] } };
      if (count > mostRecipients)
        throw new StepError("invalid-input", `The mail has ${count} recipients; ${mostRecipients} are allowed.`);
      if (given.from !== null && !mayBeSender(mail, given.from))
        throw new StepError("invalid-input", senderRefusal(mail, given.from.address));
      const request: MailRequest = {
        content: await contentOf(given, signal),
        messages: envelopesOf(given, fields, (suffix) => writeMessageId(mail, `${key}${suffix}`)),
      };
      return { request: request as MailRequest & JsonObject };
    },
    perform: (context, request) => deliverMail(mail, context, request),
  };
}

/** A sender that is written out is known to be refused when the workflow is activated. */
function checkSender(mail: MailTransport, written: JsonObject, place: string): Issue[] {
  const from = parseAddress(textOf(written["from"]) ?? "");
  if (from === undefined || mayBeSender(mail, from)) return [];
  return [{ path: at(place, "from"), message: senderRefusal(mail, from.address) }];
}

function senderRefusal({ senderDomains }: MailTransport, address: string): string {
  return `mail may be sent from addresses at ${[...senderDomains].join(", ")}, not from ${address}; MAIL_FROM_DOMAINS says so`;
}

async function contentOf(
  { subject, markdown, attachments, from, replyTo, ...given }: MailInput,
  signal: AbortSignal,
): Promise<MailContent> {
  const html = markdown === undefined ? given.html : await renderUntrusted(markdown, signal);
  const text = given.text ?? (markdown === undefined ? undefined : textOfMarkdown(markdown));
  return {
    subject,
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
    ...(attachments.length === 0 ? {} : { attachments }),
    ...(from === null ? {} : { from }),
    ...(replyTo.length === 0 ? {} : { replyTo }),
  };
}

function envelopesOf({ oneEach }: MailInput, fields: Fields, messageId: (suffix: string) => string): Envelope[] {
  if (!oneEach) return [{ ...fields, messageId: messageId("") }];
  const everybody = [...fields.to, ...fields.cc, ...fields.bcc];
  return everybody.map((one) => ({ to: [one], cc: [], bcc: [], messageId: messageId(`.${digestOf(one.address)}`) }));
}

/** The same for the same recipient, wherever it stands in the list: its Message-ID is its own. */
function digestOf(address: string): string {
  return createHash("sha256").update(address.toLowerCase()).digest("hex").slice(0, 12);
}
