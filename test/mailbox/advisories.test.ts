import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Socket } from "node:net";
import { afterAll, expect, test } from "vitest";
import { z } from "zod";
import { projectRoot, readConfig } from "../../src/config.ts";
import { parseAddress } from "../../src/mailbox/address.ts";
import { createMailTransport, type MailTransport } from "../../src/mailbox/transport.ts";
import { startScriptedSmtp } from "../support/scripted-smtp.ts";

function transportTo(port: number): MailTransport {
  const mail = createMailTransport(readConfig({ SMTP_URL: `smtp://127.0.0.1:${port}` }));
  afterAll(() => mail.close());
  return mail;
}

const to = [{ name: "", address: "ada@example.com" }];
const hello = {
  messageId: "<1@localhost>",
  to,
  cc: [],
  bcc: [],
  subject: "Hi",
  text: "Hi.",
  recipients: ["ada@example.com"],
};

test("the mail library is one without the recipient bypass of CVE-2026-125755 and those before it", async () => {
  const lock = z
    .object({ packages: z.record(z.string(), z.object({ version: z.string().optional() })) })
    .parse(JSON.parse(await readFile(join(projectRoot, "package-lock.json"), "utf8")));
  const copies = Object.entries(lock.packages).filter(([path]) => path.endsWith("node_modules/nodemailer"));
  const versions = copies.map(([, { version = "0.0.0" }]) => version.split(".").map(Number));
  expect(versions.length).toBeGreaterThan(0);
  for (const [major = 0, minor = 0, patch = 0] of versions)
    expect(major * 10_000 + minor * 100 + patch).toBeGreaterThanOrEqual(100_401);
});

test("a server whose answer has no end fails the try, and is not kept in memory", async () => {
  let written = 0;
  const flood = (socket: Socket): void => {
    while (socket.writable && written < 100_000_000 && socket.write("x".repeat(65_536))) written += 65_536;
    socket.once("drain", () => flood(socket));
  };
  const smtp = await startScriptedSmtp({ EHLO: flood });
  const sending = transportTo(smtp.port).send(hello, new AbortController().signal);
  await expect(sending).rejects.toMatchObject({ code: "mail-unavailable", retryable: true });
  expect(written).toBeLessThan(20_000_000);
});

test("a server that answers with commands of its own changes nothing of what is sent", async () => {
  const smtp = await startScriptedSmtp({ MAIL: "250 ok\r\n250 ok\r\n354 go on" });
  await transportTo(smtp.port)
    .send(hello, new AbortController().signal)
    .catch(() => {});
  expect(smtp.lines.filter((line) => line.startsWith("RCPT"))).toEqual(["RCPT TO:<ada@example.com>"]);
});

test.each([
  ["many brackets", `${"<".repeat(240)}a@x.com${">".repeat(240)}`],
  ["many comments", `${"(".repeat(480)}a@x.com`],
  ["many dots", `${"a.".repeat(240)}@x.com`],
  ["many quotes", `${'"'.repeat(481)}@x.com`],
  ["many labels", `a@${"x.".repeat(240)}com`],
])("an address of %s is read in no time", (_what, text) => {
  const before = performance.now();
  for (let i = 0; i < 1_000; i++) parseAddress(text);
  expect(performance.now() - before).toBeLessThan(1_000);
});
