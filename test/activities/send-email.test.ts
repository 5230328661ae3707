import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { createSendEmail } from "../../src/activities/send-email.ts";
import type { OutsideContext, StepOutcome } from "../../src/activities/step-kind.ts";
import { readConfig } from "../../src/config.ts";
import { StepError } from "../../src/errors.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createMailTransport, type MailTransport } from "../../src/mailbox/transport.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";
import { freePort } from "../support/mail.ts";
import { refusal, startTestSmtp, type TestSmtp } from "../support/smtp.ts";
import { plainContext } from "../support/step-context.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const { workspace, objects } = await createTestWorkspace(pool);
const idle = new AbortController().signal;

function transportTo(port: number): MailTransport {
  const mail = createMailTransport(
    readConfig({ SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: "Tandem <crm@example.org>" }),
  );
  afterAll(() => mail.close());
  return mail;
}

/** A step of one run: what it has stored lives on between its attempts, as the ledger keeps it. */
function createStep(mail: MailTransport, given: JsonObject) {
  const kind = createSendEmail(mail);
  const key = createId().replaceAll("-", "");
  let progress: JsonObject = {};
  const context = (signal: AbortSignal): OutsideContext => ({
    ...plainContext,
    sql: pool,
    workspace,
    objects,
    run: { id: createId(), workflowId: createId(), workflowKey: "test", depth: 0 },
    path: "mail",
    signal,
    key,
    unsure: false,
    progress,
    async save(saved) {
      progress = saved;
    },
  });
  return {
    key,
    async attempt(signal = idle): Promise<StepOutcome> {
      const prepared = await kind.prepare(context(signal), kind.input.parse(given), key);
      if (!("request" in prepared)) return prepared;
      // As it comes back out of the database.
      return kind.perform(context(signal), JSON.parse(JSON.stringify(prepared.request)));
    },
  };
}

async function failureOf(attempt: Promise<unknown>): Promise<StepError> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StepError)) throw new Error(`Not a StepError: ${String(error)}`);
  return error;
}

async function start(): Promise<{ smtp: TestSmtp; mail: MailTransport }> {
  const smtp = await startTestSmtp();
  return { smtp, mail: transportTo(smtp.port) };
}

const hello = { to: ["ada@example.com"], subject: "Hello", text: "Hi." };

describe("a mail that the server takes", () => {
  test("goes out once, under the step's Message-ID, marked as sent by a machine", async () => {
    const { smtp, mail } = await start();
    const step = createStep(mail, { ...hello, html: "<p>Hi.</p>" });
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
    await createStep(mail, {
      to: ["ada@example.com"],
      subject: "Hello",
      markdown: "**Hi** <script>x</script>",
    }).attempt();
    expect(smtp.mails[0]?.raw).toMatch(/Content-Type: text\/html[\s\S]*<p><strong>Hi<\/strong> x<\/p>/);
  });

  test("reaches everybody once, however often and in whatever case they are named, and hides Bcc", async () => {
    const { smtp, mail } = await start();
    const { output } = await createStep(mail, {
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
    const step = createStep(mail, { ...hello, to: ["a@x.com", "b@x.com"], bcc: ["c@x.com"], oneEach: true });
    const { output } = await step.attempt();
    expect(output).toMatchObject({ messageIds: [1, 2, 3].map((n) => `<${step.key}.${n}@example.org>`) });
    expect(smtp.mails.map(({ to }) => to)).toEqual([["a@x.com"], ["b@x.com"], ["c@x.com"]]);
    expect(smtp.mails[0]?.raw).not.toContain("b@x.com");
  });

  test.each([{ to: [] }, { to: "" }, {}, { to: [], cc: [" "] }])(
    "is skipped when nobody is left: %j",
    async (fields) => {
      const { smtp, mail } = await start();
      const outcome = await createStep(mail, { subject: "x", text: "x", ...fields }).attempt();
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
    const error = await failureOf(createStep(mail, hello).attempt());
    expect(error).toMatchObject({ code: "mail-refused", retryable: false });
    expect(error.message).toMatch(/no such user|looks like spam/);
    expect(error.details["refused"]).toMatchObject([{ address: "ada@example.com" }]);
  });

  test.each([
    ["its recipient", { recipient: () => fail(450, "greylisted") }],
    ["its text", { data: () => fail(451, "try later") }],
  ])("for now, %s, is tried again", async (_what, behaviour) => {
    const { smtp, mail } = await start();
    const step = createStep(mail, hello);
    smtp.behaviour = behaviour;
    expect(await failureOf(step.attempt())).toMatchObject({ code: "mail-unavailable", retryable: true });
    smtp.behaviour = {};
    expect(await step.attempt()).toMatchObject({ output: { accepted: ["ada@example.com"] } });
  });

  test("for one of several, reaches the others and says whom it did not", async () => {
    const { smtp, mail } = await start();
    smtp.behaviour = { recipient: (one) => (one === "b@x.com" ? fail(550, "no such user") : undefined) };
    for (const oneEach of [false, true]) {
      const { output, outcome } = await createStep(mail, {
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
      const step = createStep(mail, { ...hello, to: ["a@x.com", "b@x.com", "c@x.com", "d@x.com"], oneEach });
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
    const step = createStep(mail, hello);
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
    await createStep(mail, hello).attempt();
    smtp.breakConnections();
    await createStep(mail, hello).attempt();
    expect(smtp.mails).toHaveLength(2);
  });

  test("or is away is tried again, and found when it is back", async () => {
    const port = await freePort();
    const mail = transportTo(port);
    const step = createStep(mail, hello);
    expect(await failureOf(step.attempt())).toMatchObject({ code: "mail-unavailable", retryable: true });
    const smtp = await startTestSmtp({ port });
    await step.attempt();
    expect(smtp.mails).toHaveLength(1);
  });
});

test("a cancelled step stops the mail that waits and begins no other", async () => {
  const { smtp, mail } = await start();
  const cancel = new AbortController();
  smtp.behaviour = { data: () => new Promise(() => {}) };
  const attempt = createStep(mail, { ...hello, to: ["a@x.com", "b@x.com"], oneEach: true }).attempt(cancel.signal);
  const failed = attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  await until("the first mail is on its way", () => smtp.mails.length === 1);
  cancel.abort(new Error("cancelled"));
  expect(await failed).toMatchObject({ message: "cancelled" });
  expect(smtp.mails).toHaveLength(1);
});

test("without a mail server the step says what to set", async () => {
  const mail = createMailTransport(readConfig({}));
  const error = await failureOf(createStep(mail, hello).attempt());
  expect(error).toMatchObject({ code: "mail-unavailable", retryable: true });
  expect(error.message).toContain("SMTP_URL");
});

describe("what cannot be sent is refused before anything leaves", () => {
  const { input, prepare } = createSendEmail(createMailTransport(readConfig({})));

  test.each([
    ["a line break in the subject", { subject: "Hello\r\nBcc: v@y.com" }, "subject"],
    ["NUL in the subject", { subject: "a\u0000b" }, "subject"],
    ["NUL in the text", { text: "a\u0000b" }, "text"],
    ["a second header in an address", { to: ["a@x.com\r\nBcc: v@y.com"] }, "is no e-mail address"],
    ["two addresses in one text", { cc: "a@x.com,b@y.com" }, "is no e-mail address"],
    ["neither text nor html", { text: undefined }, "text"],
    ["html and markdown at once", { html: "<p>x</p>", markdown: "x" }, "markdown"],
    ["an unknown key", { attachments: [{ path: "/etc/passwd" }] }, "attachments"],
  ])("%s", (_what, fields, said) => {
    const parsed = input.safeParse({ ...hello, ...fields });
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(said);
  });

  test("more than fifty recipients, and not fifty", async () => {
    const to = Array.from({ length: 51 }, (_, number) => `a${number}@x.com`);
    const context = {
      ...plainContext,
      sql: pool,
      workspace,
      objects,
      run: { id: "", workflowId: "", workflowKey: "", depth: 0 },
      path: "mail",
      signal: idle,
    };
    const parse = (list: string[]) => input.parse({ ...hello, to: list });
    await expect(prepare(context, parse(to), "key")).rejects.toThrow("51 recipients");
    expect(await prepare(context, parse(to.slice(1)), "key")).toHaveProperty("request");
  });
});

function fail(code: number, text: string): never {
  throw refusal(code, text);
}
