import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from "smtp-server";
import type { Log } from "../log.ts";
import { isUnavailable, type SqlPool } from "../sql.ts";
import { keepMessage } from "./messages.ts";

const mostBytes = 10 * 1024 * 1024;

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
    logger: false,
    onData(stream, session, done) {
      void answer(receive(stream, session), done);
    },
  });
  server.on("error", (error) => log.debug({ err: error }, "a mail client broke off"));

  async function answer(receiving: Promise<void>, done: (error?: Error) => void): Promise<void> {
    const failure = await receiving.then(() => undefined, refusal);
    if (failure === undefined) done();
    else done(failure);
  }

  async function receive(stream: SMTPServerDataStream, session: SMTPServerSession): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (stream.sizeExceeded) throw Object.assign(new Error("The mail is larger than 10 MiB"), { responseCode: 552 });
    const { mailFrom, rcptTo } = session.envelope;
    await keepMessage(pool, {
      raw: Buffer.concat(chunks),
      from: mailFrom === false ? "" : mailFrom.address,
      to: rcptTo.map(({ address }) => address),
    });
  }

  function refusal(error: unknown): Error {
    if (error instanceof Error && "responseCode" in error) return error;
    if (!isUnavailable(error)) log.warn({ err: error }, "a mail could not be kept");
    return Object.assign(new Error("The mail cannot be kept right now, try again"), { responseCode: 451 });
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
