import { once } from "node:events";
import { afterAll } from "vitest";
import { SMTPServer, type SMTPServerSession } from "smtp-server";

/** A mail as it went over the wire: whom the sender named, and the text with its headers. */
export interface WireMail {
  readonly to: readonly string[];
  readonly raw: string;
}

/** What a mail server does at each point; what is not given is accepted. Throw `refusal(…)` to refuse. */
export interface SmtpBehaviour {
  recipient?(address: string): void;
  /** Called with the whole text, before the answer. */
  data?(mail: WireMail, session: SMTPServerSession): void | Promise<void>;
}

export interface TestSmtp {
  readonly port: number;
  /** Every text that came in whole, answered with 250 or not. */
  readonly mails: WireMail[];
  behaviour: SmtpBehaviour;
  /** Breaks every connection without a word. */
  breakConnections(): void;
  stop(): Promise<void>;
}

export function refusal(responseCode: number, text: string): Error {
  return Object.assign(new Error(text), { responseCode });
}

/** A real mail server on the loopback; it ends with the file. */
export async function startTestSmtp({ port = 0 } = {}): Promise<TestSmtp> {
  const mails: WireMail[] = [];
  const connected = new Set<{ destroy(): unknown }>();
  const server = new SMTPServer({
    disabledCommands: ["AUTH", "STARTTLS"],
    disableReverseLookup: true,
    closeTimeout: 100,
    logger: false,
    onRcptTo({ address }, _session, done) {
      void answer(() => test.behaviour.recipient?.(address), done);
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        const mail = {
          to: session.envelope.rcptTo.map(({ address }) => address),
          raw: Buffer.concat(chunks).toString(),
        };
        mails.push(mail);
        void answer(() => test.behaviour.data?.(mail, session), done);
      });
    },
  });
  server.on("error", () => {});
  server.server.on("connection", (socket) => {
    connected.add(socket);
    socket.once("close", () => connected.delete(socket));
  });
  server.listen(port, "127.0.0.1");
  await once(server.server, "listening");
  const address = server.server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port was given");
  const stop = () => new Promise<void>((resolve) => server.close(() => resolve()));
  afterAll(stop);
  const test: TestSmtp = {
    port: address.port,
    mails,
    behaviour: {},
    breakConnections: () => connected.forEach((socket) => socket.destroy()),
    stop,
  };
  return test;
}

async function answer(behave: () => void | Promise<void>, done: (error?: Error | null) => void): Promise<void> {
  let failure: Error | undefined;
  try {
    await behave();
  } catch (error) {
    failure = error instanceof Error ? error : new Error(String(error));
  }
  done(failure);
}
