import { createServer } from "node:net";
import { afterAll } from "vitest";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import { createMailbox } from "../../src/mailbox/mailbox.ts";
import { createMailTransport, type MailTransport } from "../../src/mailbox/transport.ts";
import type { SqlPool } from "../../src/sql.ts";

/** A port of the loopback that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== "object" || address === null) throw new Error("no port was given");
  return address.port;
}

/** The product's own mailbox over a test's database, and a transport to it; both end with the file. */
export async function startTestMailbox(pool: SqlPool): Promise<{ mail: MailTransport; port: number }> {
  const port = await freePort();
  const mailbox = createMailbox({ pool, port, log: createLog("test", "fatal") });
  await mailbox.start();
  const mail = createMailTransport(readConfig({ MAILBOX_SMTP_PORT: String(port) }));
  afterAll(async () => {
    mail.close();
    await mailbox.stop();
  });
  return { mail, port };
}
