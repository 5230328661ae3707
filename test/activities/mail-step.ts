import { afterAll } from "vitest";
import { createSendEmail } from "../../src/activities/send-email.ts";
import type { OutsideContext, StepContext, StepOutcome } from "../../src/activities/step-kind.ts";
import { readConfig } from "../../src/config.ts";
import { StepError } from "../../src/errors.ts";
import { createId } from "../../src/ids.ts";
import type { JsonObject } from "../../src/json.ts";
import { createMailTransport, type MailTransport } from "../../src/mailbox/transport.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";
import { plainContext } from "../support/step-context.ts";

const { pool } = await createTestDatabase();
const { workspace, objects } = await createTestWorkspace(pool);

/** The least that a mail needs. */
export const hello = { to: ["ada@example.com"], subject: "Hello", text: "Hi." };

/** A signal that never aborts. */
export const idle = new AbortController().signal;

/** A transport to a server on the loopback, from crm@example.org; it ends with the file. */
export function transportTo(port: number, environment: Record<string, string> = {}): MailTransport {
  const mail = createMailTransport(
    readConfig({ SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: "Tandem <crm@example.org>", ...environment }),
  );
  afterAll(() => mail.close());
  return mail;
}

/** What a mail step knows of its run. */
export function mailContext(signal = idle): StepContext {
  const run = { id: createId(), workflowId: createId(), workflowKey: "test", depth: 0 };
  return { ...plainContext, sql: pool, workspace, objects, run, path: "mail", signal };
}

/** A step of one run: what it has stored lives on between its attempts, as the ledger keeps it. */
export function createMailStep(mail: MailTransport, given: JsonObject, key: string = createId().replaceAll("-", "")) {
  const kind = createSendEmail(mail);
  let progress: JsonObject = {};
  const context = (signal: AbortSignal): OutsideContext => ({
    ...mailContext(signal),
    key,
    attempt: 1,
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

/** What an attempt threw; undefined where it did not. */
export function thrownBy(attempt: Promise<unknown>): Promise<unknown> {
  return attempt.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
}

/** The failure of an attempt that is to fail. */
export async function failureOf(attempt: Promise<unknown>): Promise<StepError> {
  const error = await thrownBy(attempt);
  if (!(error instanceof StepError)) throw new Error(`Not a StepError: ${String(error)}`);
  return error;
}
