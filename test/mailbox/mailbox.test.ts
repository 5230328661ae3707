import { createConnection, createServer } from "node:net";
import { once } from "node:events";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/log.ts";
import { createMailbox } from "../../src/mailbox/mailbox.ts";
import { findMessage, listMessages } from "../../src/mailbox/messages.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { createPool } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { startGateway } from "../api/gateway.ts";
import { freePort, startTestMailbox } from "../support/mail.ts";
import { until } from "../support/until.ts";

const log = createLog("test", "fatal");
const { pool } = await createTestDatabase();
const { mail, port } = await startTestMailbox(pool);
const idle = new AbortController().signal;

function letter(number: number) {
  const to = [{ name: "Ada", address: `ada${number}@example.com` }];
  return { messageId: `<${number}@localhost>`, to, cc: [], bcc: [], subject: `Mail ${number}`, text: `Text ${number}` };
}

async function send(number: number): Promise<void> {
  await mail.send({ ...letter(number), recipients: [`ada${number}@example.com`, "hidden@example.com"] }, idle);
}

/** Speaks SMTP by hand, turn by turn; gives what the server said of the text. */
async function converse(toPort: number, text: string | Buffer): Promise<string> {
  const socket = createConnection(toPort, "127.0.0.1").setEncoding("utf8");
  let said = "";
  socket.on("data", (chunk: string) => (said += chunk));
  const answer = async () => {
    await until("an answer", () => /^\d{3} .*\r\n/m.test(said));
    const last = said.trim();
    said = "";
    return last;
  };
  await answer();
  for (const command of ["EHLO x", "MAIL FROM:<a@x.com>", "RCPT TO:<b@x.com>", "DATA"]) {
    socket.write(`${command}\r\n`);
    await answer();
  }
  socket.write(text);
  socket.write("\r\n.\r\n");
  const last = await answer();
  socket.destroy();
  return last;
}

describe("the mailbox", () => {
  test("has kept a mail, whole, when it says that it took it", async () => {
    await mail.send(
      { ...letter(0), html: "<p>Text</p>", recipients: ["ada0@example.com", "hidden@example.com"] },
      idle,
    );
    const [message] = await listMessages(pool, { limit: 1 });
    expect(message).toMatchObject({
      from: "tandem@localhost",
      to: ["ada0@example.com", "hidden@example.com"],
      subject: "Mail 0",
      text: expect.stringContaining("Text 0"),
      html: expect.stringContaining("<p>Text</p>"),
      headers: { "message-id": "<0@localhost>", "auto-submitted": "auto-generated", to: "Ada <ada0@example.com>" },
    });
    expect(await findMessage(pool, message?.id ?? "")).toEqual(message);
  });

  test("says whether it answers", async () => {
    expect(await mail.describe()).toEqual({ up: true, via: "mailbox" });
  });

  test("takes fifty recipients, and not one more", async () => {
    const fifty = Array.from({ length: 50 }, (_, number) => `to${number}@example.com`);
    const sent = await mail.send({ ...letter(50), recipients: [...fifty, "late@example.com"] }, idle);
    expect(sent.accepted).toEqual(fifty);
    expect(sent.refused).toMatchObject([{ address: "late@example.com", permanent: false }]);
  });

  test("keeps headers and bodies that Postgres could not hold as they are", async () => {
    expect(
      await converse(port, "Subject: a\0b\r\nX-Odd: \\u0000 \\\0u0000 \\\r\nX-Odd: second\r\n\r\nNUL \0 and \\u0000"),
    ).toMatch(/^250/);
    const [message] = await listMessages(pool, { limit: 1 });
    expect(message?.subject).toBe("ab");
    expect(message?.headers["x-odd"]).toContain("\\u0000");
    expect(message?.text?.trim()).toBe("NUL  and \\u0000");
  });

  test("refuses what is larger than 10 MiB for good", async () => {
    const large = Buffer.alloc(10 * 1024 * 1024 + 1_000, "x".repeat(98) + "\r\n");
    expect(await converse(port, large)).toMatch(/^552/);
    expect(await converse(port, "Subject: small\r\n\r\n.")).toMatch(/^250/);
  });

  test("asks to try again while Postgres is away", async () => {
    const away = createPool({ url: `postgres://nobody@127.0.0.1:${await freePort()}/none`, max: 1, name: "test" });
    const other = await freePort();
    const mailbox = createMailbox({ pool: away, port: other, log });
    await mailbox.start();
    afterAll(() => Promise.all([mailbox.stop(), away.end()]));
    expect(await converse(other, "Subject: x\r\n\r\nx")).toMatch(/^451/);
  });

  test("says when its port is taken", async () => {
    await expect(createMailbox({ pool, port, log }).start()).rejects.toThrow("EADDRINUSE");
  });

  test("stops soon though a sender keeps its connection", async () => {
    const other = await freePort();
    const mailbox = createMailbox({ pool, port: other, log });
    await mailbox.start();
    const socket = createConnection(other, "127.0.0.1");
    await once(socket, "data");
    const began = performance.now();
    await mailbox.stop();
    socket.destroy();
    expect(performance.now() - began).toBeLessThan(5_000);
  });
});

test("a mail server that takes the connection and says nothing is not up, and holds nobody up", async () => {
  const silent = createServer();
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  const address = silent.address();
  const silentPort = typeof address === "object" && address !== null ? address.port : 0;
  const transport = createMailTransport(readConfig({ SMTP_URL: `smtp://127.0.0.1:${silentPort}` }));
  afterAll(() => {
    transport.close();
    silent.close();
  });
  const began = performance.now();
  expect(await transport.describe()).toEqual({ up: false, via: "smtp" });
  expect(performance.now() - began).toBeLessThan(5_000);
});

describe("/api/mailbox", () => {
  const message = z.looseObject({ id: z.uuid(), subject: z.string(), receivedAt: z.iso.datetime() });
  const page = z.strictObject({ data: z.array(message), nextCursor: z.string().nullable() });

  const gateway = startGateway(pool);
  const get = async (path: string) => (await gateway).call("GET", path);

  test("lists newest first, page by page, and reads one", async () => {
    for (const number of [1, 2, 3]) await send(number);
    const first = page.parse((await get("/api/mailbox?limit=2")).body);
    expect(first.data.map((one) => one.subject)).toEqual(["Mail 3", "Mail 2"]);
    const second = page.parse((await get(`/api/mailbox?limit=1&cursor=${first.nextCursor}`)).body);
    expect(second.data.map((one) => one.subject)).toEqual(["Mail 1"]);
    expect((await get(`/api/mailbox/${first.data[0]?.id}`)).body).toEqual(first.data[0]);
    expect((await get("/api/mailbox?limit=10000")).status).toBe(200);
  });

  test.each([
    ["/api/mailbox?limit=10001", 400],
    ["/api/mailbox?limit=0", 400],
    ["/api/mailbox?cursor=x", 400],
    ["/api/mailbox?page=2", 400],
    ["/api/mailbox/0199a1b2-0000-7000-8000-000000000000", 404],
    ["/api/mailbox/x", 404],
  ])("%s is answered with %i", async (path, status) => {
    expect((await get(path)).status).toBe(status);
  });

  test("asks for a key, which the page does not", async () => {
    const { url } = await gateway;
    expect((await fetch(`${url}/api/mailbox`)).status).toBe(401);
    const response = await fetch(`${url}/mailbox`);
    expect(response.status).toBe(200);
    const policy = response.headers.get("content-security-policy");
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toContain("unsafe");
    for (const [, path] of (await response.text()).matchAll(/(?:src|href)="([^"]+)"/g))
      expect((await fetch(`${url}${path}`)).status).toBe(200);
  });
});
