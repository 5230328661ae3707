import { createTransport, type SentMessageInfo } from "nodemailer";
import type { Config } from "../config.ts";
import { StepError } from "../errors.ts";
import { parseAddress, type Address } from "./address.ts";

/** One message to the mail server, ready to be sent. */
export interface Mail {
  readonly messageId: string;
  readonly to: readonly Address[];
  readonly cc: readonly Address[];
  readonly bcc: readonly Address[];
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  /** Whom this attempt is for: those that were accepted before are left out of the envelope. */
  readonly recipients: readonly string[];
}

/** What the mail server said of each recipient. */
export interface Sent {
  readonly accepted: readonly string[];
  readonly refused: ReadonlyArray<{ readonly address: string; readonly reason: string; readonly permanent: boolean }>;
}

export interface MailState {
  readonly up: boolean;
  readonly via: "smtp" | "mailbox" | "none";
}

export interface MailTransport {
  /** The sender of every mail. */
  readonly from: Address;
  /** Throws StepError: `mail-refused` for good, `mail-unavailable` to be tried again. */
  send(mail: Mail): Promise<Sent>;
  /** Where mail goes, and whether the server answered when it was last asked: at most every 15 s. */
  describe(): Promise<MailState>;
  close(): void;
}

/** The transport by SMTP_URL, else to the gateway's own mailbox. Connects when the first mail is sent. */
export function createMailTransport(config: Config): MailTransport {
  const from = parseAddress(config.MAIL_FROM);
  if (from === undefined)
    throw new Error(`MAIL_FROM "${config.MAIL_FROM}" is no e-mail address. Write it as tandem@example.com.`);
  const url =
    config.SMTP_URL ??
    (config.MAILBOX_SMTP_PORT === undefined ? undefined : `smtp://127.0.0.1:${config.MAILBOX_SMTP_PORT}`);
  if (url === undefined) return withoutServer(from);
  const isOurs = config.SMTP_URL === undefined;
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: config.WORKER_EMAIL_CONCURRENCY,
    maxMessages: 100,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
    // The mailbox listens on this machine's loopback, without a certificate.
    ...(isOurs ? { ignoreTLS: true } : {}),
  });
  return {
    from,
    async send(mail) {
      try {
        const info: SentMessageInfo = await transport.sendMail({
          messageId: mail.messageId,
          from,
          to: [...mail.to],
          cc: [...mail.cc],
          envelope: { from: from.address, to: [...mail.recipients] },
          subject: mail.subject,
          ...(mail.text === undefined ? {} : { text: mail.text }),
          ...(mail.html === undefined ? {} : { html: mail.html }),
          headers: { "Auto-Submitted": "auto-generated" },
        });
        return { accepted: (info.accepted ?? []).map(addressOf), refused: (info.rejectedErrors ?? []).map(refusalOf) };
      } catch (error) {
        throw failureOf(error);
      }
    },
    describe: createState(isOurs ? "mailbox" : "smtp", () => transport.verify()),
    close: () => transport.close(),
  };
}

function withoutServer(from: Address): MailTransport {
  return {
    from,
    send: () =>
      Promise.reject(new StepError("mail-unavailable", "There is no mail server. Set SMTP_URL.", { retryable: true })),
    describe: () => Promise.resolve({ up: false, via: "none" }),
    close() {},
  };
}

const askAgainMs = 15_000;

function createState(via: MailState["via"], ask: () => Promise<unknown>): () => Promise<MailState> {
  let up = false;
  let askedAt = 0;
  return async () => {
    if (Date.now() - askedAt >= (up ? askAgainMs : 2_000)) {
      askedAt = Date.now();
      up = await ask().then(
        () => true,
        () => false,
      );
    }
    return { up, via };
  };
}

function addressOf(address: string | { address: string }): string {
  return typeof address === "string" ? address : address.address;
}

interface SmtpError {
  readonly responseCode?: number;
  readonly response?: string;
  readonly recipient?: string;
  readonly code?: string;
}

function refusalOf(error: SmtpError & { message: string }): Sent["refused"][number] {
  return {
    address: error.recipient ?? "",
    reason: oneLine(error.response ?? error.message),
    permanent: isPermanent(error),
  };
}

function isPermanent({ responseCode }: SmtpError): boolean {
  return responseCode !== undefined && responseCode >= 500 && responseCode < 600;
}

/**
 * A 5xx answer is final. A connection that broke after the text was sent leaves it in doubt whether the
 * server took it: it is sent again under the same Message-ID (DURABILITY.md, the promise).
 */
function failureOf(thrown: unknown): StepError {
  const error: SmtpError & { message: string } = thrown instanceof Error ? thrown : { message: String(thrown) };
  const said = oneLine(error.response ?? error.message);
  const code = error.responseCode;
  if (isPermanent(error)) {
    return new StepError("mail-refused", `The mail server refused the mail: ${said}.`, {
      cause: thrown,
      details: { status: code ?? null },
    });
  }
  const details = { status: code ?? null, ...(code === undefined ? { unsure: true } : {}) };
  return new StepError("mail-unavailable", `The mail server could not take the mail now: ${said}.`, {
    retryable: true,
    cause: thrown,
    details,
  });
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, " ").trim().slice(0, 500).replace(/\.$/, "");
}
