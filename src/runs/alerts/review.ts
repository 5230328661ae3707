import type { StepKinds } from "../../activities/step-kind.ts";
import { loadVersion, unlessUnreadable } from "../../catalog/versions.ts";
import type { Definition } from "../../definition/schema.ts";
import type { MailTransport } from "../../mailbox/transport.ts";
import { inTransaction, isUnavailable, type Sql, type SqlPool } from "../../sql.ts";
import type { Redactor } from "../../vault/redactor.ts";
import { addFailures, decide, hasWorked, type Alert } from "./alert.ts";
import { compose, type Links } from "./compose.ts";
import { startFailureWorkflow } from "./failure-workflow.ts";
import { addAlertMail } from "./mails.ts";
import { readNotify, readRecipients } from "./notify.ts";
import {
  findWorkedAt,
  lockAlert,
  saveAlert,
  takeFailures,
  workflowsToReview,
  type FailedRun,
  type Reviewable,
  type Watched,
} from "./store.ts";

/** What looking at alerts needs. */
export interface ReviewParts {
  readonly pool: SqlPool;
  readonly kinds: StepKinds;
  readonly mail: Pick<MailTransport, "from">;
  readonly links: Links;
  /** Takes a workspace's secrets out of what is mailed: a reason may come from where none were opened. */
  redactorOf(workspaceId: string): Promise<Pick<Redactor, "text">>;
}

/** What a round did. */
export interface Reviewed {
  readonly mails: number;
  readonly runs: number;
}

const nothing: Reviewed = { mails: 0, runs: 0 };

/**
 * One round over the workflows that failed, and those whose alerts are to be looked at again. Of each
 * workflow all commits as one: which failures are accounted for, the mail that tells of them, and the runs
 * that they start.
 */
export async function reviewFailures(parts: ReviewParts, now: Date = new Date()): Promise<Reviewed> {
  let all = nothing;
  const faults: unknown[] = [];
  const redactorOf = oncePerWorkspace(parts.redactorOf);
  for (const reviewable of await workflowsToReview(parts.pool, now)) {
    try {
      const one = await inTransaction(parts.pool, (sql) => review(sql, { ...parts, redactorOf }, { reviewable, now }));
      all = { mails: all.mails + one.mails, runs: all.runs + one.runs };
    } catch (error) {
      if (isUnavailable(error)) throw error;
      // One workflow must not keep the others from being told.
      faults.push(error);
    }
  }
  if (faults.length > 0) throw new AggregateError(faults, "Failures of some workflows cannot be accounted for yet");
  return all;
}

/** Within a round a workspace's secrets are opened for its first mail, and for none if it has none. */
function oncePerWorkspace(redactorOf: ReviewParts["redactorOf"]): ReviewParts["redactorOf"] {
  const known = new Map<string, Pick<Redactor, "text">>();
  return async (workspaceId) => {
    const redactor = known.get(workspaceId) ?? (await redactorOf(workspaceId));
    known.set(workspaceId, redactor);
    return redactor;
  };
}

interface Round {
  readonly reviewable: Reviewable;
  readonly now: Date;
}

async function review(sql: Sql, parts: ReviewParts, round: Round): Promise<Reviewed> {
  const { workflowId } = round.reviewable;
  const watched = await lockAlert(sql, workflowId);
  if (watched === undefined) return nothing;
  const failures = await takeFailures(sql, workflowId, round.now);
  const { changes, runs } = await actOn(sql, parts, { watched, failures });
  const added = addFailures(
    watched.alert,
    failures.map(({ failure }) => failure),
  );
  const alert = { ...added, ...changes };
  const recipients = readRecipients(alert.notify ?? watched.addresses);
  const workedAt = await findWorkedAt(sql, workflowId, alert.lastFailedAt);
  const { digestMs } = watched;
  const decision = decide(alert, { now: round.now, digestMs, workedAt, heard: recipients.length > 0 });
  await saveAlert(sql, { workflowId, ...decision });
  if (decision.mail === undefined) return { mails: 0, runs };
  const { subject, body } = compose({
    kind: decision.mail,
    workflow: watched,
    alert,
    workedAt: hasWorked(alert, { now: round.now, digestMs, workedAt }) ? workedAt : undefined,
    links: parts.links,
  });
  const { text } = await parts.redactorOf(watched.workspaceId);
  const mail = { kind: decision.mail, workflowId, workspaceId: watched.workspaceId, recipients };
  await addAlertMail(sql, parts.mail, { mail: { ...mail, subject: text(subject), body: text(body) }, now: round.now });
  return { mails: 1, runs };
}

/** What the workflow says is to be done of its failures: who is told, and the runs that they start. */
async function actOn(
  sql: Sql,
  { kinds, links }: ReviewParts,
  { watched, failures }: { watched: Watched; failures: readonly FailedRun[] },
): Promise<{ readonly changes: Partial<Alert>; readonly runs: number }> {
  const last = failures.at(-1);
  if (last === undefined) return { changes: {}, runs: 0 };
  const { notify, workflow: key } = await readOnFailure(sql, kinds, last.versionId);
  const wish = readNotify(notify, last.settings);
  const starting = failures.filter(({ startsWorkflow }) => startsWorkflow);
  if (key === undefined || starting.length === 0) return { changes: wish, runs: 0 };
  const refusal = await startFailureWorkflow(sql, { kinds }, { watched, key, failures: starting, links });
  return refusal === undefined
    ? { changes: wish, runs: starting.length }
    : { changes: { ...wish, note: refusal }, runs: 0 };
}

/** A version that this code cannot read any more says nothing: the workspace's addresses are told. */
async function readOnFailure(
  sql: Sql,
  kinds: StepKinds,
  versionId: string,
): Promise<NonNullable<Definition["onFailure"]>> {
  const version = await unlessUnreadable(() => loadVersion(sql, versionId, { kinds }));
  return version?.definition.onFailure ?? {};
}
