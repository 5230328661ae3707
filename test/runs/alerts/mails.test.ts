import { afterAll, expect, test } from "vitest";
import { readConfig } from "../../../src/config.ts";
import { sendNextAlert } from "../../../src/runs/alerts/mails.ts";
import { createMailTransport, type MailTransport } from "../../../src/mailbox/transport.ts";
import { hookDefinition, startGateway } from "../../api/gateway.ts";
import { createTestDatabase } from "../../support/database.ts";
import { freePort } from "../../support/mail.ts";
import { refusal, startTestSmtp, type TestSmtp } from "../../support/smtp.ts";
import { createDyingPool } from "../../support/disturbed-pool.ts";
import { endRun, mailsOf, reviewAll, reviewParts } from "./support.ts";

const { pool } = await createTestDatabase();
const { call, install } = await startGateway(pool);
await call("PUT", "/api/settings", { body: { alertAddresses: ["a@example.com", "b@example.com"] } });
const start = new Date("2026-01-01T09:00:00Z");
const after = (seconds: number): Date => new Date(start.getTime() + seconds * 1_000);
let made = 0;

/** A workflow that failed, with the mail that tells so. */
async function failed(): Promise<string> {
  const { id } = await install(hookDefinition(`flow-${++made}`));
  await endRun(pool, id, { at: start });
  await reviewAll(reviewParts(pool), start);
  return id;
}

function transportTo(port: number): MailTransport {
  const mail = createMailTransport(readConfig({ SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: "crm@example.org" }));
  afterAll(() => mail.close());
  return mail;
}

async function serve(): Promise<{ smtp: TestSmtp; mail: MailTransport }> {
  const smtp = await startTestSmtp();
  return { smtp, mail: transportTo(smtp.port) };
}

const idsIn = (smtp: TestSmtp): Array<string | undefined> =>
  smtp.mails.map(({ raw }) => /^Message-ID: (.*)\r$/m.exec(raw)?.[1]);

test("a mail about failures goes out once, whoever sends", async () => {
  const { smtp, mail } = await serve();
  const id = await failed();
  const sent = await Promise.all([1, 2, 3].map(() => sendNextAlert(pool, mail, start)));
  expect(sent.map(({ kind }) => kind).toSorted()).toEqual(["none", "none", "sent"]);
  const [stored] = await mailsOf(pool, id);
  expect(stored).toMatchObject({ sentAt: start, dueAt: null, error: null });
  expect(idsIn(smtp)).toEqual([stored?.messageId]);
  expect(smtp.mails[0]?.to).toEqual(["a@example.com", "b@example.com"]);
  expect(smtp.mails[0]?.raw).toContain("Auto-Submitted: auto-generated");
  expect(await sendNextAlert(pool, mail, after(86_400))).toEqual({ kind: "none" });
});

test("a process that dies at any statement leaves a mail that is sent under the same Message-ID", async () => {
  for (const heard of [false, true]) {
    let deaths = 0;
    for (let at = 1; ; at++) {
      const { smtp, mail } = await serve();
      const id = await failed();
      const dying = createDyingPool(pool, { at, heard });
      await sendNextAlert(dying.pool, mail, start).catch(() => {});
      // Nobody takes it from whoever may still be at it.
      const soon = smtp.mails.length;
      await sendNextAlert(pool, mail, after(1));
      const isClaimed = at > 1 || heard;
      expect(isClaimed ? smtp.mails.length : soon).toBe(soon);
      await sendNextAlert(pool, mail, after(121));
      const [stored] = await mailsOf(pool, id);
      expect(stored?.sentAt).not.toBeNull();
      expect(new Set(idsIn(smtp))).toEqual(new Set([stored?.messageId]));
      expect(smtp.mails.length).toBeLessThanOrEqual(2);
      if (!dying.died()) break;
      deaths += 1;
    }
    expect(deaths).toBe(3);
  }
});

test("a server that is away is tried again, later and later, and for three days", async () => {
  const mail = transportTo(await freePort());
  const id = await failed();
  const pauses: number[] = [];
  for (let now = start; ;) {
    const { kind } = await sendNextAlert(pool, mail, now);
    const [stored] = await mailsOf(pool, id);
    expect(stored?.error).toMatchObject({ code: "mail-unavailable" });
    if (kind === "given-up") break;
    expect(kind).toBe("later");
    pauses.push(((stored?.dueAt?.getTime() ?? 0) - now.getTime()) / 1_000);
    expect(await sendNextAlert(pool, mail, now)).toEqual({ kind: "none" });
    now = stored?.dueAt ?? now;
  }
  expect(pauses.slice(0, 9)).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
  expect(pauses.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(3 * 86_400);
  expect((await mailsOf(pool, id))[0]).toMatchObject({ sentAt: null, dueAt: null });
});

test("who has it does not get it again while another is put off, and who is refused is left out", async () => {
  const { smtp, mail } = await serve();
  const id = await failed();
  smtp.behaviour = {
    recipient(address) {
      if (address === "b@example.com") throw refusal(450, "greylisted");
    },
  };
  expect((await sendNextAlert(pool, mail, start)).kind).toBe("later");
  smtp.behaviour = {};
  expect((await sendNextAlert(pool, mail, after(30))).kind).toBe("sent");
  expect(smtp.mails.map(({ to }) => to)).toEqual([["a@example.com"], ["b@example.com"]]);
  expect(new Set(idsIn(smtp)).size).toBe(1);
  expect((await mailsOf(pool, id))[0]?.error).toBeNull();
});

test("a mail that nobody may have is given up, and the API says why", async () => {
  const { smtp, mail } = await serve();
  const id = await failed();
  smtp.behaviour = {
    recipient() {
      throw refusal(550, "no such user");
    },
  };
  const sent = await sendNextAlert(pool, mail, start);
  expect(sent).toMatchObject({ kind: "given-up", workflowId: id, reason: expect.stringContaining("no such user") });
  const { body } = await call("GET", "/api/alerts?limit=200");
  const alert = (body["data"] as Array<{ id: string; mail: object }>).find((one) => one.id === id);
  expect(alert?.mail).toMatchObject({ kind: "first", sentAt: null, dueAt: null, error: { code: "mail-refused" } });
});
