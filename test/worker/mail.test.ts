import { afterAll, describe, expect, onTestFinished, test } from "vitest";
import { createSendEmail } from "../../src/activities/send-email.ts";
import { changeWorkspaceSettings } from "../../src/catalog/workspace-settings.ts";
import { readConfig } from "../../src/config.ts";
import type { JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { listMessages } from "../../src/mailbox/messages.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { createAlertLoops } from "../../src/runs/alerts/loops.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { freePort, startTestMailbox } from "../support/mail.ts";
import { startScriptedSmtp, stalls, type SmtpPoint } from "../support/scripted-smtp.ts";
import { refusal, startTestSmtp } from "../support/smtp.ts";
import { createTestVault } from "../support/vault.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const port = await freePort();
const transport = createMailTransport(readConfig({ SMTP_URL: `smtp://127.0.0.1:${port}` }));
afterAll(() => transport.close());
const kinds = { ...recordKinds, "send-email": createSendEmail(transport) };
const engine = await startTestEngine(pool, { kinds });
const { workspace } = engine;

const tell = { id: "tell", kind: "send-email", input: { to: ["ada@example.com"], subject: "Hi", text: "Hi." } };
const run = async (key: string, rest: JsonObject = {}): Promise<string> =>
  engine.enqueue(await engine.activate(definitionOf(key, [tell], rest)), {});

describe("a run that is cancelled", () => {
  test.each<[SmtpPoint]>([["greeting"], ["RCPT"], ["text"]])(
    "while the mail server is silent at its %s is over within 3 seconds, and the connection with it",
    async (point) => {
      const smtp = await startScriptedSmtp({ [point]: stalls }, port);
      const runId = await run(`silent-${point.toLowerCase()}`);
      await until(`the server is silent at its ${point}`, () => smtp.reached.at(-1) === point);
      const before = performance.now();
      await cancelRun(pool, { workspaceId: workspace.id, runId });
      engine.ring();
      expect((await engine.finished(runId)).status).toBe("cancelled");
      await until("the connection is closed", () => smtp.open() === 0, 3_000);
      expect(performance.now() - before).toBeLessThan(3_000);
    },
  );
});

describe("a workflow whose mails are refused", () => {
  test("is told to the workspace's addresses at once, and starts the workflow that reports it", async () => {
    const { mail } = await startTestMailbox(pool);
    const alerts = createAlertLoops({
      pool,
      mail,
      kinds,
      vault: createTestVault(pool),
      links: { publicUrl: "https://crm.example" },
      log: createLog("test", "fatal"),
      runsStarted: () => engine.ring(),
    });
    alerts.start();
    onTestFinished(() => alerts.stop());
    await changeWorkspaceSettings(pool, workspace.id, { alertAddresses: ["ops@example.com"] });
    const smtp = await startTestSmtp({ port });
    smtp.behaviour = {
      recipient() {
        throw refusal(550, "no such user");
      },
    };
    const inputs = { run: { type: "text" }, message: { type: "text", required: true } };
    await engine.activate({
      ...definitionOf("report", [{ id: "said", kind: "set", input: { message: "{{ trigger.inputs.message }}" } }]),
      triggers: [{ id: "failure", kind: "manual", inputs }],
      output: { of: "{{ trigger.inputs.run }}", message: "{{ said.message }}" },
    });
    const runId = await run("refused", { onFailure: { workflow: "report" } });
    expect((await engine.finished(runId)).status).toBe("failed");
    const told = await until("the mail about it", async () => (await listMessages(pool, { limit: 1 }))[0]);
    expect(told).toMatchObject({
      to: ["ops@example.com"],
      subject: '"refused" failed at step "tell": mail-refused',
      text: expect.stringContaining(`https://crm.example/api/runs/${runId}`),
    });
    expect(told.text).toContain("no such user");
    const started = await until("the run that it starts", async () => {
      const { rows } = await pool.query<{ id: string }>("select id from tandem.runs where origin ->> 'runId' = $1", [
        runId,
      ]);
      return rows[0]?.id;
    });
    expect(await engine.finished(started)).toMatchObject({
      status: "completed",
      output: { of: runId, message: expect.stringContaining("no such user") },
    });
  });
});
