import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import type { Log } from "../log.ts";
import { isUnavailable, type SqlPool } from "../sql.ts";
import { keepMessage, parseMessage } from "./messages.ts";

const mostBytes = 10 * 1024 * 1024;
const mostRecipients = 50;
/** How long open connections may go on once it stops: a pool keeps idle ones for minutes. */
const closeTimeoutMs = 1_000;

/**
 * An SMTP server on this machine's loopback that keeps every mail it gets: where mail goes when no mail
 * server is configured. It says 250 after the commit, and 451 while Postgres is away, so that the sender
 * tries again.
 */
export function createMailbox({ pool, port, log }: { pool: SqlPool; port: number; log: Log }): {
  start(): Promise<void>;
  stop(): Promise<void>;
} {
  const server = new SMTPServer({
    banner: "Tandem's mailbox",
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    size: mostBytes,
    maxRecipients: mostRecipients,
    closeTimeout: closeTimeoutMs,
    logger: false,
    onData(stream, session, done) {
      void answer(receive(stream, session), done);
    },
  });
  server.on("error", (error) => log.debug({ err: error }, "a mail client broke off"));

  async function answer(receiving: Promise<void>, done: (error?: Error) => void): Promise<void> {
    const failure = await receiving.then(() => undefined, refusalOf);
    if (failure === undefined) done();
    else done(failure);
  }

  async function receive(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const { mailFrom, rcptTo } = session.envelope;
    const raw = await readAll(stream);
    const parsed = await parseMessage(raw).catch((error: unknown) => {
      throw refusal(554, "The mail cannot be read", error);
    });
    await keepMessage(pool, {
      raw,
      parsed,
      from: mailFrom === false ? "" : mailFrom.address,
      to: rcptTo.map(({ address }) => address),
    });
  }

  function refusalOf(error: unknown): Error {
    if (error instanceof Error && "responseCode" in error) return error;
    if (!isUnavailable(error)) log.warn({ err: error }, "a mail could not be kept");
    return refusal(451, "The mail cannot be kept right now, try again", error);
  }

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.server.once("error", reject);
        server.listen(port, "127.0.0.1", () => resolve());
      }),
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** The whole mail. What is too large is read to its end, as the protocol wants, and not kept. */
async function readAll(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (stream.sizeExceeded) chunks.length = 0;
    else chunks.push(chunk as Buffer);
  }
  if (stream.sizeExceeded) throw refusal(552, "The mail is larger than 10 MiB");
  return Buffer.concat(chunks);
}

function refusal(responseCode: number, said: string, cause?: unknown): Error {
  return Object.assign(new Error(said, { cause }), { responseCode });
}
