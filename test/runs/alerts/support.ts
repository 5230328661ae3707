import type { JsonObject } from "../../../src/json.ts";
import { createMailTransport, type MailTransport } from "../../../src/mailbox/transport.ts";
import { readConfig } from "../../../src/config.ts";
import { enqueueRuns } from "../../../src/runs/enqueue.ts";
import { createId } from "../../../src/ids.ts";
import type { Reviewed, ReviewParts } from "../../../src/runs/alerts/review.ts";
import { reviewFailures } from "../../../src/runs/alerts/review.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { createRedactor } from "../../../src/vault/redactor.ts";
import type { Gateway } from "../../api/gateway.ts";
import { recordKinds } from "../../support/engine.ts";

/** What looking at alerts needs, over a test's database; nothing is sent by it. */
export function reviewParts(pool: SqlPool, secrets: readonly string[] = []): ReviewParts {
  return {
    pool,
    kinds: recordKinds,
    mail: sender,
    links: { publicUrl: "https://crm.example", temporalRuns: "https://temporal.example/namespaces/default/workflows" },
    redactorOf: async () => createRedactor(secrets),
  };
}

const sender: Pick<MailTransport, "from"> = createMailTransport(readConfig({ MAIL_FROM: "Tandem <crm@example.org>" }));

/** Rounds until nothing more is to be done at this moment. */
export async function reviewAll(parts: ReviewParts, now: Date): Promise<Reviewed> {
  let all: Reviewed = { mails: 0, runs: 0 };
  for (;;) {
    const { mails, runs } = await reviewFailures(parts, now);
    if (mails + runs === 0) return all;
    all = { mails: all.mails + mails, runs: all.runs + runs };
  }
}

/** A run as it ended, and how. */
export interface EndedRun {
  readonly at: Date;
  readonly status?: "failed" | "completed" | "stopped-as-loop";
  readonly error?: JsonObject;
  readonly settings?: JsonObject;
  readonly launchedBy?: JsonObject;
}

/** Adds a run of the workflow that is over. */
export async function endRun(pool: SqlPool, workflowId: string, run: EndedRun): Promise<string> {
  const [id] = await endRuns(pool, workflowId, [run]);
  if (id === undefined) throw new Error("No run was added.");
  return id;
}

/** Adds runs of the workflow that are over. */
export async function endRuns(pool: SqlPool, workflowId: string, runs: readonly EndedRun[]): Promise<string[]> {
  const { rows } = await pool.query<{ workspaceId: string; versionId: string }>(
    `select f.workspace_id as "workspaceId", v.id as "versionId" from tandem.workflows f
     join tandem.workflow_versions v on v.workflow_id = f.id and v.status = 'active' where f.id = $1`,
    [workflowId],
  );
  const [of] = rows;
  if (of === undefined) throw new Error("The workflow has no active version.");
  const ended = runs.map((run) => ({ ...run, id: createId() }));
  const trigger = { id: "form", kind: "webhook" };
  await enqueueRuns(
    pool,
    ended.map(({ id, settings = {}, launchedBy }) => ({
      ...of,
      id,
      workflowId,
      trigger,
      settings,
      ...(launchedBy === undefined ? {} : { launchedBy }),
    })),
  );
  const ends = ended.map(({ id, at, status = "failed", error = timeout }) => ({
    id,
    at,
    status,
    error: status === "completed" ? null : error,
  }));
  await pool.query(
    `update tandem.runs r set status = q.status, ended_at = q.at, error = q.error
     from jsonb_to_recordset($1::jsonb) as q(id uuid, at timestamptz, status text, error jsonb) where r.id = q.id`,
    [JSON.stringify(ends)],
  );
  return ended.map(({ id }) => id);
}

/** The error of a run whose step took too long. */
export const timeout: JsonObject = {
  code: "timeout",
  message: 'Step "tell" failed after 3 attempts: It took too long.',
  step: "tell",
  path: "tell",
  attempts: 3,
};

/** A mail about failures, as it is kept. */
export interface StoredMail {
  readonly kind: string;
  readonly messageId: string;
  readonly recipients: string[];
  readonly subject: string;
  readonly body: string;
  readonly sentAt: Date | null;
  readonly dueAt: Date | null;
  readonly error: JsonObject | null;
}

/** The mails about a workflow's failures, in order. */
export async function mailsOf(pool: SqlPool, workflowId: string): Promise<StoredMail[]> {
  const { rows } = await pool.query<StoredMail>(
    `select kind, message_id as "messageId", subject, body, sent_at as "sentAt", due_at as "dueAt", error,
       array(select r ->> 'address' from jsonb_array_elements(recipients) r) as recipients
     from tandem.alert_mails where workflow_id = $1 order by id`,
    [workflowId],
  );
  return rows;
}

/** Makes and activates a workflow that is launched with these inputs. */
export async function installHandler(
  { call }: Gateway,
  key: string,
  inputs: JsonObject,
  rest: JsonObject = {},
): Promise<string> {
  const triggers = [{ id: "by", kind: "manual", inputs }];
  const body = { formatVersion: 1, key, name: key, triggers, steps: [], ...rest };
  const id = String((await call("POST", "/api/workflows", { body })).body["id"]);
  const { status, text } = await call("POST", `/api/workflows/${id}/activate`);
  if (status !== 200) throw new Error(`Not activated: ${text}`);
  return id;
}

/** A run that a failure started. */
export interface StartedRun {
  readonly id: string;
  readonly status: string;
  readonly depth: number;
  readonly launchedBy: JsonObject;
  readonly inputs: JsonObject;
}

/** The runs that failures of a workflow started, in order. */
export async function startedBy(pool: SqlPool, workflowId: string): Promise<StartedRun[]> {
  const { rows } = await pool.query<StartedRun>(
    `select id, status, depth, launched_by as "launchedBy", trigger -> 'inputs' as inputs from tandem.runs
     where origin ->> 'workflowId' = $1 order by id`,
    [workflowId],
  );
  return rows;
}
