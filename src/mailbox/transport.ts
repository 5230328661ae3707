import { setTimeout as sleep } from "node:timers/promises";
import { createTransport, type SentMessageInfo } from "nodemailer";
import { z } from "zod";
import type { Config } from "../config.ts";
import { StepError } from "../errors.ts";
import { parseAddress, type Address } from "./address.ts";
import { fileOf, type Attachment } from "./attachments.ts";

/** One message to the mail server, ready to be sent. */
export interface Mail {
  readonly messageId: string;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly attachments?: readonly Attachment[];
  /** Default: the sender of every mail. */
  readonly from?: Address;
  readonly replyTo?: readonly Address[];
  /** Whom this attempt is for: those that were accepted before are left out of the envelope. */
  readonly recipients: readonly string[];
}

/** What the mail server said of each recipient. */
export interface Sent {
  readonly accepted: readonly string[];
  /** `permanent`: it will say so again. */
  readonly refused: readonly Refusal[];
}

export interface Refusal {
  readonly address: string;
  readonly reason: string;
  readonly permanent: boolean;
  /** The server's code: 450, 550 and the like. */
  readonly status?: number | undefined;
}

export interface MailState {
  readonly up: boolean;
  readonly via: "smtp" | "mailbox" | "none";
}

export interface MailTransport {
  /** The sender of every mail that names no other. */
  readonly from: Address;
  /** Domains, in lower case, at which another sender of a mail may be. */
  readonly senderDomains: ReadonlySet<string>;
  /**
   * Answers with what the server said, refusals included. Throws StepError `mail-unavailable`, to be tried
   * again, when there was no answer, and the signal's reason when that aborted.
   */
  send(mail: Mail, signal: AbortSignal): Promise<Sent>;
  /** Where mail goes, and whether the server answered when it was last asked: at most every 15 s. */
  describe(): Promise<MailState>;
  close(): void;
}

/** A mail's Message-ID, by what is its own in it. */
export function writeMessageId({ from }: Pick<MailTransport, "from">, own: string): string {
  return `<${own}@${from.address.split("@")[1] ?? "localhost"}>`;
}

/** The transport by SMTP_URL, else to the gateway's own mailbox. Connects when the first mail is sent. */
export function createMailTransport(config: Config): MailTransport {
  const from = parseAddress(config.MAIL_FROM);
  if (from === undefined)
    throw new Error(`MAIL_FROM "${config.MAIL_FROM}" is no e-mail address. Write it as tandem@example.com.`);
  const url =
    config.SMTP_URL ??
    (config.MAILBOX_SMTP_PORT === undefined ? undefined : `smtp://127.0.0.1:${config.MAILBOX_SMTP_PORT}`);
  const sender = { from, senderDomains: senderDomainsOf(config, from) };
  if (url === undefined) return { ...sender, ...withoutServer };
  const isOurs = config.SMTP_URL === undefined;
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: config.WORKER_EMAIL_CONCURRENCY,
    maxMessages: 100,
    // A kept connection that the server dropped is replaced once; further tries are the step's.
    maxRequeues: 1,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
    // The mailbox listens on this machine's loopback, without a certificate.
    ...(isOurs ? { ignoreTLS: true } : {}),
  });
  return {
    ...sender,
    async send(mail, signal) {
      try {
        const info: SentMessageInfo = await transport.sendMail({ ...contentOf(mail, from), signal });
        const accepted = new Set(lowerCase(z.array(z.string()).parse(info.accepted)));
        return {
          accepted: mail.recipients.filter((one) => accepted.has(one.toLowerCase())),
          refused: refusalsOf(mail, z.array(smtpError).parse(info.rejectedErrors ?? [])),
        };
      } catch (error) {
        signal.throwIfAborted();
        return meaningOf(mail, error);
      }
    },
    describe: createState(isOurs ? "mailbox" : "smtp", () => transport.verify()),
    close: () => transport.close(),
  };
}

function contentOf(mail: Mail, usual: Address) {
  const from = mail.from ?? usual;
  return {
    messageId: mail.messageId,
    from,
    ...(mail.replyTo === undefined ? {} : { replyTo: [...mail.replyTo] }),
    to: [...mail.to],
    cc: [...mail.cc],
    // Bcc is in the envelope alone.
    envelope: { from: from.address, to: [...mail.recipients] },
    // What looks like an encoded word would be sent as it is and read as what it encodes, line breaks
    // included: a joiner that nobody sees makes it text.
    subject: mail.subject.replaceAll("=?", "=\u2060?"),
    ...(mail.text === undefined ? {} : { text: mail.text }),
    ...(mail.html === undefined ? {} : { html: mail.html }),
    ...(mail.attachments === undefined ? {} : { attachments: mail.attachments.map(fileOf) }),
    headers: { "Auto-Submitted": "auto-generated" },
  };
}

const withoutServer: Pick<MailTransport, "send" | "describe" | "close"> = {
  send: () =>
    Promise.reject(
      new StepError("mail-unavailable", "There is no mail server. Set SMTP_URL to smtp://user:password@host:port.", {
        retryable: true,
      }),
    ),
  describe: () => Promise.resolve({ up: false, via: "none" }),
  close() {},
};

function senderDomainsOf(config: Config, from: Address): ReadonlySet<string> {
  const written = config.MAIL_FROM_DOMAINS?.split(",") ?? [domainOf(from)];
  return new Set(written.map((domain) => domain.trim().toLowerCase()));
}

/** Whether a mail may be sent from this address: the sender of every mail, or one at a configured domain. */
export function mayBeSender({ from, senderDomains }: MailTransport, sender: Address): boolean {
  return sender.address.toLowerCase() === from.address.toLowerCase() || senderDomains.has(domainOf(sender));
}

function domainOf({ address }: Address): string {
  return address.slice(address.lastIndexOf("@") + 1).toLowerCase();
}

const askAgainMs = { up: 15_000, down: 2_000 };
const patienceMs = 1_000;

/** Who asks waits a moment at most: a server that takes the connection and says nothing is not up. */
function createState(via: MailState["via"], ask: () => Promise<unknown>): () => Promise<MailState> {
  let up = false;
  let asking: Promise<void> | undefined;
  let askedAt = 0;

  async function askNow(): Promise<void> {
    up = await ask().then(
      () => true,
      () => false,
    );
    askedAt = Date.now();
    asking = undefined;
  }

  return async () => {
    if (asking === undefined && Date.now() - askedAt >= askAgainMs[up ? "up" : "down"]) asking = askNow();
    const answered = await Promise.race([asking?.then(() => true) ?? true, sleep(patienceMs, false, { ref: false })]);
    return { up: answered && up, via };
  };
}

const smtpError = z.object({
  message: z.string(),
  /** Of the mail library: at which point it failed. */
  code: z.string().optional(),
  /** Of the server: 550 and the like. */
  responseCode: z.int().optional(),
  response: z.string().optional(),
  /** Of the system: `connect` where nothing was reached. */
  syscall: z.string().optional(),
  recipient: z.string().optional(),
});
type SmtpError = z.output<typeof smtpError>;
const wholeError = smtpError.extend({ rejectedErrors: z.array(smtpError).optional() });

/**
 * What the server said of the mail, as refusals. Anything else is thrown: a connection that broke after
 * the text was sent leaves it in doubt whether the server took it, and it is sent again under the same
 * Message-ID (DURABILITY.md, the promise).
 */
function meaningOf(mail: Mail, thrown: unknown): Sent {
  const parsed = wholeError.safeParse(thrown);
  const error = parsed.success ? parsed.data : { message: String(thrown) };
  if (error.rejectedErrors !== undefined && error.rejectedErrors.length > 0)
    return { accepted: [], refused: refusalsOf(mail, error.rejectedErrors) };
  if (isOfMail(error)) return { accepted: [], refused: mail.recipients.map((address) => refusalOf(address, error)) };
  throw new StepError("mail-unavailable", `The mail server could not take the mail now: ${saidIn(error)}.`, {
    retryable: true,
    cause: thrown,
    details: {
      ...(error.responseCode === undefined ? {} : { status: error.responseCode }),
      ...(mayHaveSent(error) ? { unsure: true } : {}),
    },
  });
}

/** Whether the mail's text may have been on its way when it failed: the server may have taken it. */
function mayHaveSent({ code = "", responseCode, syscall }: SmtpError): boolean {
  return responseCode === undefined && syscall !== "connect" && !["EDNS", "ETLS", "EAUTH", "ENOAUTH"].includes(code);
}

/** Whether the server speaks of this mail; a refused greeting or login is no fault of the mail's. */
function isOfMail({ code, responseCode }: SmtpError): boolean {
  if (code === "EENVELOPE") return responseCode !== undefined;
  // Without a server's code: it is larger than the server takes.
  return code === "EMESSAGE";
}

function refusalsOf(mail: Mail, errors: readonly SmtpError[]): Refusal[] {
  const byAddress = new Map(errors.map((error) => [error.recipient?.toLowerCase(), error]));
  return mail.recipients.flatMap((address) => {
    const error = byAddress.get(address.toLowerCase());
    return error === undefined ? [] : [refusalOf(address, error)];
  });
}

function refusalOf(address: string, error: SmtpError): Refusal {
  const { responseCode: status } = error;
  // 503 is said of the dialogue, not of the mail: over a new connection it may go through.
  const permanent = status === undefined || (status >= 500 && status !== 503);
  return { address, reason: saidIn(error), permanent, status };
}

function saidIn(error: SmtpError): string {
  return (error.response ?? error.message).replace(/\s+/g, " ").trim().slice(0, 500).replace(/\.$/, "");
}

// The library writes an address's domain in its own way.
function lowerCase(addresses: readonly string[]): string[] {
  return addresses.map((address) => address.toLowerCase());
}
