import { ProblemError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import type { MailTransport } from "../../mailbox/transport.ts";
import type { SqlPool } from "../../sql.ts";
import { redactorOf, type Redactor } from "../../vault/redactor.ts";
import { listSecretNames } from "../../vault/secret-names.ts";
import type { Vault } from "../../vault/vault.ts";
import { createLoop, type Loop } from "../loop.ts";
import { sendNextAlert } from "./mails.ts";
import { reviewFailures, type ReviewParts } from "./review.ts";

const restMs = 1_000;

export interface AlertParts extends Omit<ReviewParts, "redactorOf" | "mail"> {
  readonly mail: MailTransport;
  readonly vault: Vault;
  readonly log: Log;
  /** Called after a commit that started runs. */
  runsStarted?(): void;
}

/**
 * Accounts for failed runs and sends the mails that tell of them, for ever. What is to be told and sent is
 * rows: any number of processes may do so, and each may die at any line.
 */
export function createAlertLoops({ log, vault, runsStarted, ...parts }: AlertParts): {
  start(): void;
  stop(): Promise<void>;
} {
  const reviewing = createLoop({
    work: "accounting for failed runs",
    log,
    async round() {
      const { mails, runs } = await reviewFailures({
        ...parts,
        redactorOf: (workspaceId) => openRedactor({ pool: parts.pool, vault, log }, workspaceId),
      });
      if (runs > 0) runsStarted?.();
      if (mails > 0) sending.ring();
      return restMs;
    },
  });
  const sending: Loop = createLoop({
    work: "sending mails about failed runs",
    log,
    async round() {
      const sent = await sendNextAlert(parts.pool, parts.mail);
      if (sent.kind === "given-up")
        log.warn({ workflowId: sent.workflowId }, `a mail about a workflow's failures was given up: ${sent.reason}`);
      return sent.kind === "none" ? restMs : 0;
    },
  });
  return {
    start() {
      reviewing.start();
      sending.start();
    },
    async stop() {
      await reviewing.stop();
      await sending.stop();
    },
  };
}

/** Where the secrets cannot be opened, reasons are as they were stored: what steps opened is out of them. */
async function openRedactor(
  { pool, vault, log }: { pool: SqlPool; vault: Vault; log: Log },
  workspaceId: string,
): Promise<Redactor> {
  const names = await listSecretNames(pool, workspaceId);
  const opened = await vault.openSecrets(workspaceId, names).catch((error: unknown) => {
    if (!(error instanceof ProblemError)) throw error;
    log.warn({ err: error }, "secrets that a mail might name cannot be opened");
    return new Map<string, readonly Buffer[]>();
  });
  return redactorOf(opened);
}
