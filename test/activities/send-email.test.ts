import type { Socket } from "node:net";
import PostalMime from "postal-mime";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { createSendEmail } from "../../src/activities/send-email.ts";
import { readConfig } from "../../src/config.ts";
import { createMailTransport, type MailTransport } from "../../src/mailbox/transport.ts";
import { freePort } from "../support/mail.ts";
import { startScriptedSmtp } from "../support/scripted-smtp.ts";
import { refusal, startTestSmtp, type TestSmtp } from "../support/smtp.ts";
import { createMailStep, failureOf, hello, idle, transportTo } from "./mail-step.ts";

async function start(): Promise<{ smtp: TestSmtp; mail: MailTransport }> {
  const smtp = await startTestSmtp();
  return { smtp, mail: transportTo(smtp.port) };
}

describe("a mail that the server takes", () => {
  test("goes out once, under the step's Message-ID, marked as sent by a machine", async () => {
    const { smtp, mail } = await start();
    const step = createMailStep(mail, { ...hello, html: "<p>Hi.</p>" });
    const { output, outcome } = await step.attempt();
    const messageId = `<${step.key}@example.org>`;
    expect(output).toEqual({ messageIds: [messageId], accepted: ["ada@example.com"], refused: [] });
    expect(outcome).toBe("1 accepted");
    expect(smtp.mails).toHaveLength(1);
    const raw = smtp.mails[0]?.raw ?? "";
    expect(raw).toContain(`Message-ID: ${messageId}`);
    expect(raw).toContain("Auto-Submitted: auto-generated");
    expect(raw).toContain("From: Tandem <crm@example.org>");
  });

  test("has its markdown as HTML", async () => {
    const { smtp, mail } = await start();
    await createMailStep(mail, {
      to: ["ada@example.com"],
      subject: "Hello",
      markdown: "**Hi** <script>x</script>",
    }).attempt();
    expect(smtp.mails[0]?.raw).toMatch(/Content-Type: text\/html[\s\S]*<p><strong>Hi<\/strong> x<\/p>/);
  });

  test("reaches everybody once, however often and in whatever case they are named, and hides Bcc", async () => {
    const { smtp, mail } = await start();
    const { output } = await createMailStep(mail, {
      ...hello,
      to: "Ada Bar <Ada@Example.COM>",
      cc: ["ada@example.com", "bob@example.com", ""],
      bcc: ["BOB@example.com", "eve@example.com"],
    }).attempt();
    expect(output).toMatchObject({ accepted: ["Ada@Example.COM", "bob@example.com", "eve@example.com"] });
    expect(smtp.mails[0]?.to.map((one) => one.toLowerCase())).toEqual([
      "ada@example.com",
      "bob@example.com",
      "eve@example.com",
    ]);
    expect(smtp.mails[0]?.raw).not.toMatch(/eve@|bcc/i);
  });

  test("goes to each by itself with oneEach, each with an id of its own", async () => {
    const { smtp, mail } = await start();
    const step = createMailStep(mail, { ...hello, to: ["a@x.com", "b@x.com"], bcc: ["c@x.com"], oneEach: true });
    const { output } = await step.attempt();
    const ids = z.object({ messageIds: z.array(z.string()) }).parse(output).messageIds;
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(new RegExp(`^<${step.key}\\.[0-9a-f]{12}@example\\.org>$`));
    expect(smtp.mails.map(({ to }) => to)).toEqual([["a@x.com"], ["b@x.com"], ["c@x.com"]]);
    expect(smtp.mails.map(({ raw }) => /^Message-ID: (.*)$/m.exec(raw)?.[1]?.trim())).toEqual(ids);
    expect(smtp.mails[0]?.raw).not.toContain("b@x.com");
  });

  test("has for a recipient the Message-ID that the recipient has, whoever else gets it", async () => {
    const { mail } = await start();
    const first = createMailStep(mail, { ...hello, to: ["a@x.com", "b@x.com"], oneEach: true });
    const again = createMailStep(mail, { ...hello, to: ["c@x.com", "B@x.com"], oneEach: true }, first.key);
    const [before, after] = [await first.attempt(), await again.attempt()].map(
      ({ output }) => z.object({ messageIds: z.array(z.string()) }).parse(output).messageIds,
    );
    expect(after?.[1]).toBe(before?.[1]);
    expect(after?.[0]).not.toBe(before?.[0]);
  });

  test("takes lists within lists, as expressions give them", async () => {
    const { smtp, mail } = await start();
    await createMailStep(mail, {
      ...hello,
      to: [["a@x.com", [" ", "b@x.com"]], null, "A@X.com", ["c@x.com"]],
    }).attempt();
    expect(smtp.mails[0]?.to).toEqual(["a@x.com", "b@x.com", "c@x.com"]);
  });

  test("comes from a sender at a configured domain, with answers to whom they are meant for", async () => {
    const { smtp } = await start();
    const mail = transportTo(smtp.port, { MAIL_FROM_DOMAINS: "x.com, Billing.Example" });
    const from = "Billing <invoices@billing.example>";
    await createMailStep(mail, { ...hello, from, replyTo: ["ada@z.com", "Bob <bob@z.com>"] }).attempt();
    const raw = smtp.mails[0]?.raw ?? "";
    expect(raw).toContain(`From: ${from}`);
    expect(raw).toContain("Reply-To: ada@z.com, Bob <bob@z.com>");
    await expect(createMailStep(mail, { ...hello, from: "ceo@example.net" }).attempt()).rejects.toThrow(
      "mail may be sent from addresses at x.com, billing.example, not from ceo@example.net",
    );
    await createMailStep(mail, { ...hello, from: "crm@example.org" }).attempt();
    expect(smtp.mails).toHaveLength(2);
  });

  test("carries files made of text and of base64, byte for byte", async () => {
    const { smtp, mail } = await start();
    const bytes = Buffer.from(Array.from({ length: 3_000 }, (_, at) => (at * 7) % 256));
    await createMailStep(mail, {
      ...hello,
      attachments: [
        { name: "Grüße – März.csv", type: "text/csv", text: "Name;Ort\r\nÄnne;Köln\r\n" },
        { name: "a.pdf", type: "application/pdf", base64: bytes.toString("base64").replace(/.{76}/g, "$&\r\n") },
        { name: "path.txt", text: "/etc/passwd" },
      ],
    }).attempt();
    const parsed = await PostalMime.parse(smtp.mails[0]?.raw ?? "", { attachmentEncoding: "base64" });
    expect(parsed.attachments.map(({ filename, mimeType }) => [filename, mimeType])).toEqual([
      ["Grüße – März.csv", "text/csv"],
      ["a.pdf", "application/pdf"],
      ["path.txt", "text/plain"],
    ]);
    const files = parsed.attachments.map(({ content }) => Buffer.from(String(content), "base64"));
    expect(files[0]?.toString()).toBe("Name;Ort\r\nÄnne;Köln\r\n");
    expect(files[1]?.equals(bytes)).toBe(true);
    expect(files[2]?.toString()).toBe("/etc/passwd");
  });

  test("has its markdown as text too, without what was escaped for HTML", async () => {
    const { smtp, mail } = await start();
    await createMailStep(mail, {
      ...hello,
      text: undefined as never,
      markdown: "**Hi** O&#39;Neill &amp; Co",
    }).attempt();
    expect((await PostalMime.parse(smtp.mails[0]?.raw ?? "")).text?.trim()).toBe("**Hi** O'Neill & Co");
  });

  test("keeps a subject that looks like an encoded word as it was written", async () => {
    const { smtp, mail } = await start();
    const subject = "=?utf-8?Q?=0D=0ABcc:_v@y.com?=";
    await createMailStep(mail, { ...hello, subject }).attempt();
    expect((await PostalMime.parse(smtp.mails[0]?.raw ?? "")).subject).toBe(subject.replace("=?", "=\u2060?"));
  });

  test("is sent on as it was stored by the version before, which kept the content in each message", async () => {
    const { smtp, mail } = await start();
    const kind = createSendEmail(mail);
    const to = [{ name: "", address: "a@x.com" }];
    const message = { subject: "Old", text: "Hi.", to, cc: [], bcc: [], messageId: "<old.1@example.org>" };
    await kind.perform({ signal: idle, progress: {}, save: async () => {} } as never, { messages: [message] });
    expect(smtp.mails[0]?.raw).toMatch(/^Subject: Old\r\nMessage-ID: <old.1@example.org>\r$/m);
  });

  test.each([{ to: [] }, { to: "" }, {}, { to: [], cc: [" "] }])(
    "is skipped when nobody is left: %j",
    async (fields) => {
      const { smtp, mail } = await start();
      const outcome = await createMailStep(mail, { subject: "x", text: "x", ...fields }).attempt();
      expect(outcome).toMatchObject({ status: "skipped", output: { messageIds: [], accepted: [], refused: [] } });
      expect(smtp.mails).toEqual([]);
    },
  );
});

describe("a mail that the server refuses", () => {
  test.each([
    ["its recipient", { recipient: () => fail(550, "no such user") }],
    ["its text", { data: () => fail(554, "looks like spam") }],
  ])("for good, %s, fails the step for good", async (_what, behaviour) => {
    const { smtp, mail } = await start();
    smtp.behaviour = behaviour;
    const error = await failureOf(createMailStep(mail, hello).attempt());
    expect(error).toMatchObject({ code: "mail-refused", retryable: false });
    expect(error.message).toMatch(/no such user|looks like spam/);
    expect(error.details["refused"]).toMatchObject([{ address: "ada@example.com" }]);
  });

  test.each([
    ["its recipient", { recipient: () => fail(450, "greylisted") }],
    ["its text", { data: () => fail(451, "try later") }],
  ])("for now, %s, is tried again", async (_what, behaviour) => {
    const { smtp, mail } = await start();
    const step = createMailStep(mail, hello);
    smtp.behaviour = behaviour;
    expect(await failureOf(step.attempt())).toMatchObject({ code: "mail-unavailable", retryable: true });
    smtp.behaviour = {};
    expect(await step.attempt()).toMatchObject({ output: { accepted: ["ada@example.com"] } });
  });

  test("for one of several, reaches the others and says whom it did not", async () => {
    const { smtp, mail } = await start();
    smtp.behaviour = { recipient: (one) => (one === "b@x.com" ? fail(550, "no such user") : undefined) };
    for (const oneEach of [false, true]) {
      const { output, outcome } = await createMailStep(mail, {
        ...hello,
        to: ["a@x.com", "b@x.com", "c@x.com"],
        oneEach,
      }).attempt();
      expect(output).toMatchObject({ accepted: ["a@x.com", "c@x.com"], refused: [{ address: "b@x.com" }] });
      expect(outcome).toBe("2 accepted, 1 refused");
    }
  });

  test.each([false, true])(
    "for one of several for now, goes to that one alone the next time (oneEach %s)",
    async (oneEach) => {
      const { smtp, mail } = await start();
      const step = createMailStep(mail, { ...hello, to: ["a@x.com", "b@x.com", "c@x.com", "d@x.com"], oneEach });
      const refuse = (one: string) => (one === "c@x.com" ? fail(550, "gone") : undefined);
      smtp.behaviour = { recipient: (one) => (one === "b@x.com" ? fail(450, "greylisted") : refuse(one)) };
      expect(await failureOf(step.attempt())).toMatchObject({ code: "mail-unavailable", retryable: true });
      smtp.behaviour = { recipient: refuse };
      smtp.mails.length = 0;
      const { output } = await step.attempt();
      expect(smtp.mails.map(({ to }) => to)).toEqual([["b@x.com"]]);
      expect(output).toMatchObject({ refused: [{ address: "c@x.com" }] });
      expect(
        z
          .object({ accepted: z.array(z.string()) })
          .parse(output)
          .accepted.toSorted(),
      ).toEqual(["a@x.com", "b@x.com", "d@x.com"]);
    },
  );
});

describe("a server that breaks off", () => {
  test("after the text was sent gets it again under the same Message-ID", async () => {
    const { smtp, mail } = await start();
    const step = createMailStep(mail, hello);
    smtp.behaviour = { data: () => smtp.breakConnections() };
    const error = await failureOf(step.attempt());
    expect(error).toMatchObject({ code: "mail-unavailable", retryable: true, details: { unsure: true } });
    expect(smtp.mails).toHaveLength(1);
    smtp.behaviour = {};
    await step.attempt();
    expect(smtp.mails).toHaveLength(2);
    expect(new Set(smtp.mails.map(({ raw }) => /^Message-ID: .*$/m.exec(raw)?.[0])).size).toBe(1);
  });

  test("between two mails is met over a new connection", async () => {
    const { smtp, mail } = await start();
    await createMailStep(mail, hello).attempt();
    smtp.breakConnections();
    await createMailStep(mail, hello).attempt();
    expect(smtp.mails).toHaveLength(2);
  });

  test.each([
    ["greets with a refusal", { greeting: "554 no service" }, 554],
    ["is shutting down", { greeting: "421 later" }, 421],
    ["says it is shutting down at a recipient", { RCPT: "421 shutting down" }, 421],
    ["has lost its place in the dialogue", { MAIL: "503 bad sequence" }, 503],
    ["says what is no answer", { EHLO: "\u0007\u0007" }, undefined],
    ["breaks off at the sender", { MAIL: (socket: Socket) => void socket.destroy() }, undefined],
  ])("or %s is tried again", async (_what, script, status) => {
    const smtp = await startScriptedSmtp(script);
    const error = await failureOf(createMailStep(transportTo(smtp.port), hello).attempt());
    expect(error).toMatchObject({ code: "mail-unavailable", retryable: true });
    expect(error.details["status"]).toBe(status);
  });

  test("before anything was sent leaves no doubt, unless somebody was reached before", async () => {
    const { smtp, mail } = await start();
    const step = createMailStep(mail, { ...hello, to: ["a@x.com", "b@x.com"], oneEach: true });
    smtp.behaviour = { recipient: (one) => (one === "a@x.com" ? fail(450, "greylisted") : undefined) };
    expect((await failureOf(step.attempt())).details).toEqual({
      status: 450,
      unsure: true,
      accepted: ["b@x.com"],
      refused: [],
      deferred: [{ address: "a@x.com", reason: expect.stringContaining("greylisted") }],
    });
    await smtp.stop();
    const away = await failureOf(step.attempt());
    expect(away).toMatchObject({ code: "mail-unavailable", details: { unsure: true } });
    const other = await failureOf(createMailStep(mail, hello).attempt());
    expect(other).toMatchObject({ code: "mail-unavailable", details: {} });
    expect(other.details).not.toHaveProperty("unsure");
  });

  test("or is away is tried again, and found when it is back", async () => {
    const port = await freePort();
    const mail = transportTo(port);
    const step = createMailStep(mail, hello);
    expect(await failureOf(step.attempt())).toMatchObject({ code: "mail-unavailable", retryable: true });
    const smtp = await startTestSmtp({ port });
    await step.attempt();
    expect(smtp.mails).toHaveLength(1);
  });
});

test("without a mail server the step says what to set", async () => {
  const mail = createMailTransport(readConfig({}));
  const error = await failureOf(createMailStep(mail, hello).attempt());
  expect(error).toMatchObject({ code: "mail-unavailable", retryable: true });
  expect(error.message).toContain("SMTP_URL");
});

function fail(code: number, text: string): never {
  throw refusal(code, text);
}
