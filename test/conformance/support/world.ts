import { setTimeout as sleep } from "node:timers/promises";
import { afterAll } from "vitest";
import { createStepKinds } from "../../../src/activities/registry.ts";
import type { StepKinds } from "../../../src/activities/step-kind.ts";
import { createCode, type Code } from "../../../src/code/code.ts";
import { readConfig } from "../../../src/config.ts";
import { createRecord } from "../../../src/crm/operations.ts";
import { createId } from "../../../src/ids.ts";
import type { JsonObject } from "../../../src/json.ts";
import { createLog } from "../../../src/log.ts";
import type { MailTransport } from "../../../src/mailbox/transport.ts";
import { createFinishedRuns } from "../../../src/runs/finished.ts";
import { answerQuestion } from "../../../src/runs/questions/answer.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { startTestEngine, type FinishedRun, type TestEngine } from "../../support/engine.ts";
import { connectTo, httpParts } from "../../support/http.ts";
import { startTestMailbox } from "../../support/mail.ts";
import { startService, type Reply, type Service } from "../../support/post-kind.ts";
import { enqueue } from "../../support/rows.ts";
import { callable } from "../../worker/waits/support.ts";
import { createOrdeals, type Ordeal, type Ordeals, type Trial } from "./ordeals.ts";

/** A workflow as runs are started of it. */
export interface Installed {
  readonly workflowId: string;
  readonly versionId: string;
}

/** Everything that steps of any kind act upon, for real: records, mail, processes for code, an outside API. */
export interface World {
  readonly pool: SqlPool;
  readonly engine: TestEngine;
  readonly kinds: StepKinds;
  readonly code: Code;
  /** Another company's service: what it was asked stands in `received`. */
  readonly service: Service;
  /**
   * Activates a workflow whose blocks have time enough: who takes a run over waits two seconds for what the one
   * before it has locked, and a block that gives up meanwhile would go on beside what is compared.
   */
  install(definition: JsonObject, options: { quickLane: boolean }): Promise<Installed>;
  /** Starts a run. */
  start(workflow: Installed, body: JsonObject, ordeal: Ordeal): Promise<{ id: string; trial: Trial }>;
  finished(runId: string): Promise<FinishedRun>;
  /** How many activities of a run are under way. */
  underWay(runId: string): number;
  /** Makes a company; gives its id. */
  company(name: string): Promise<string>;
  /** How many companies have names that begin so. */
  companies(name: string): Promise<number>;
  /** How many changes of records a run made. */
  changes(runId: string): Promise<number>;
}

/** What answers questions whose title begins so. */
export const answeredTitle = "Answered";

/** How the outside service answers; undefined: it breaks the line. */
export type ReplyTo = Parameters<typeof startService>[0];

const created = async (): Promise<Reply> => ({ status: 201, body: { made: true } });

/** Ends with the file. `mail`: another transport than the one to the product's own mailbox. */
export async function createWorld(options: { mail?: MailTransport; reply?: ReplyTo } = {}): Promise<World> {
  const { pool } = await createTestDatabase({ connections: 60 });
  const ordeals = createOrdeals(pool);
  const mail = options.mail ?? (await startTestMailbox(pool)).mail;
  const code = createCode(readConfig({}), createLog("test", "fatal"));
  afterAll(() => code.stop());
  const kinds = createStepKinds({ mail, http: httpParts(ordeals.pool), code });
  const { interceptors } = ordeals;
  const engine = await startTestEngine(ordeals.pool, { kinds, overrides: { interceptors } });
  // Calls of outside APIs carry whose they are, signed by the installation.
  await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
  const service = await startService(options.reply ?? created);
  const workspaceId = engine.workspace.id;
  const baseUrl = service.url;
  await connectTo(pool, workspaceId, { key: "honouring", baseUrl, honoursIdempotencyKey: true });
  await connectTo(pool, workspaceId, { key: "ignoring", baseUrl });
  await engine.activate(callable("called", [makes("made", "{{ trigger.inputs.name }}")]));
  const object = engine.objects.find("company")!;
  const member = engine.objects.find("workspaceMember")!;
  for (const name of ["one", "two", "three"])
    await createRecord(engine.writer, { object: member, values: { userEmail: `${name}@reps.example` } });
  answerAll(pool, workspaceId);

  return {
    pool,
    engine,
    kinds,
    code,
    service,
    ...startingIn(pool, engine, ordeals),
    async install(definition, options) {
      const workflow = await engine.activate(definition, options);
      await pool.query(
        `update tandem.workflow_versions set plan = jsonb_set(plan, '{blockMs}', '6000') where id = $1`,
        [workflow.versionId],
      );
      return workflow;
    },
    async company(name) {
      const { id } = await createRecord(engine.writer, { object, values: { name } });
      return String(id);
    },
    async companies(name) {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*) from ${object.table} where deleted_at is null and starts_with(name, $1)`,
        [name],
      );
      return rows[0]!.count;
    },
    async changes(runId) {
      const { rows } = await pool.query<{ count: number }>(
        `select count(*) from (select origin from tandem.outbox union all select origin from tandem.record_events) e
         where origin->>'runId' = $1`,
        [runId],
      );
      return rows[0]!.count;
    },
  };
}

/** A step that makes a company. */
export function makes(id: string, name: string): JsonObject {
  return { id, kind: "create-record", input: { object: "company", values: { name } } };
}

function startingIn(
  pool: SqlPool,
  engine: TestEngine,
  ordeals: Ordeals,
): Pick<World, "start" | "finished" | "underWay"> {
  const over = createFinishedRuns(pool);
  afterAll(() => over.stop());
  return {
    underWay: ordeals.underWay,
    async start(workflow, body, ordeal) {
      const id = createId();
      const trial = ordeals.undergo(id, ordeal);
      const trigger = { id: "form", kind: "webhook", body, headers: {}, query: {} };
      await enqueue(pool, { id, workspaceId: engine.workspace.id, ...workflow, trigger });
      engine.ring();
      return { id, trial };
    },
    async finished(runId) {
      await over.wait(runId, { withinMs: 60_000, signal: new AbortController().signal });
      return engine.finished(runId);
    },
  };
}

/** Answers questions as people do. */
function answerAll(pool: SqlPool, workspaceId: string): void {
  let over = false;
  const answering = (async () => {
    for (; !over; await sleep(50)) {
      const { rows } = await pool.query<{ id: string }>(
        "select id from tandem.questions where state = 'open' and starts_with(title, $1)",
        [answeredTitle],
      );
      for (const { id: questionId } of rows)
        await answerQuestion(pool, {
          workspaceId,
          questionId,
          answer: { approved: true },
          answeredBy: { kind: "api-key", name: "Tester" },
        });
    }
  })();
  afterAll(async () => {
    over = true;
    await answering;
  });
}
