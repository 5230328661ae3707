import { expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import { createRecord } from "../../src/crm/operations.ts";
import type { SqlPool } from "../../src/sql.ts";
import { listMessages } from "../../src/mailbox/messages.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";
import { until } from "../support/until.ts";
import { startWorkerProcess } from "../support/worker-process.ts";

const runs = 30;
const steps = [
  {
    id: "company",
    kind: "upsert-record",
    input: { object: "company", match: ["name"], values: { name: "Shared", employees: 1 } },
  },
  {
    id: "person",
    kind: "create-record",
    input: {
      object: "person",
      values: { emails: { primaryEmail: "{{ trigger.body.email }}" }, companyId: "{{ company.id }}" },
    },
  },
  { id: "rep", kind: "pick-record", input: { object: "workspaceMember", strategy: "round-robin" } },
  {
    id: "task",
    kind: "create-record",
    input: {
      object: "task",
      values: { title: "{{ trigger.body.email }}", assigneeId: "{{ rep.id }}" },
      links: [{ object: "person", id: "{{ person.id }}" }],
    },
  },
  {
    id: "tell",
    kind: "send-email",
    input: { to: ["sales@x.example"], subject: "{{ trigger.body.email }}", text: "Lead" },
  },
  {
    id: "changed",
    kind: "update-record",
    input: { object: "person", id: "{{ person.id }}", values: { jobTitle: "told" } },
  },
];

/** A world for each lane. Its engine stands by until the worker that is a process of its own stands still. */
const worlds = await Promise.all(
  (
    [
      ["quick", true],
      ["ordinary", false],
    ] as const
  ).map(async ([lane, quickLane]) => {
    const { pool, url } = await createTestDatabase();
    const { mail, port } = await startTestMailbox(pool);
    const engine = await startTestEngine(pool, { kinds: createStepKinds({ mail }), paused: true });
    return { lane, quickLane, pool, url, port, engine };
  }),
);

for (const { lane, quickLane, pool, url, port, engine } of worlds) {
  test(
    `a worker that stands still past every timeout and then goes on changes nothing (${lane} lane)`,
    { timeout: 180_000 },
    async () => {
      await createRecord(engine.writer, {
        object: engine.objects.find("workspaceMember")!,
        values: { userEmail: "rep@x.example" },
      });
      await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
      const workflow = await engine.activate(definitionOf(`stopped-${lane}`, steps), { quickLane });
      const ids: string[] = [];

      const stopped = startWorkerProcess({
        DATABASE_URL: url,
        TEMPORAL_ADDRESS: engine.link.address,
        MAILBOX_SMTP_PORT: String(port),
      });
      await until("the worker to be there", async () => (await count(pool, "tandem.workers")) > 0, 60_000);
      for (let number = 0; number < runs; number++)
        ids.push(await engine.enqueue(workflow, { email: `p${number}@${lane}.example` }));
      await until("steps to be in flight", async () => {
        const sealed = await count(pool, "tandem.step_results");
        return sealed > 10 && sealed < (runs - 5) * steps.length;
      });
      stopped.kill("SIGSTOP");

      await engine.resume();
      for (const id of ids) expect(await engine.finished(id, 120_000)).toMatchObject({ status: "completed" });
      const before = await snapshot(pool, engine.workspace.schemaName);
      expect(before).toMatchObject({
        people: runs,
        companies: 1,
        tasks: runs,
        links: runs,
        subjects: runs,
        messageIds: runs,
      });

      const stoppedAt = await newestReport(pool);
      stopped.kill("SIGCONT");
      await until(
        "the worker to go on",
        async () => (await count(pool, "tandem.workers where seen_at > $1", [stoppedAt])) > 0,
      );
      await until("nothing of it to be under way", async () => {
        const { rows } = await pool.query(
          "select 1 from pg_stat_activity where application_name = 'tandem-worker' and datname = current_database() and state <> 'idle'",
        );
        return rows.length === 0;
      });
      expect(await snapshot(pool, engine.workspace.schemaName)).toEqual(before);
    },
  );
}

async function count(pool: SqlPool, from: string, values: unknown[] = []): Promise<number> {
  const { rows } = await pool.query<{ total: number }>(`select count(*) as total from ${from}`, values);
  return rows[0]?.total ?? 0;
}

async function newestReport(pool: SqlPool): Promise<Date> {
  const { rows } = await pool.query<{ now: Date }>("select now() as now");
  return rows[0]!.now;
}

/** Everything that a late hand could have changed. */
async function snapshot(pool: SqlPool, schema: string) {
  const { rows: results } = await pool.query<{ hash: string }>(
    "select md5(string_agg(run_id::text || path || status || coalesce(output::text, ''), ',' order by run_id, path)) as hash from tandem.step_results",
  );
  const { rows: ended } = await pool.query("select id, status, ended_at, fence from tandem.runs order by id");
  const { rows: changed } = await pool.query(`select id, updated_at from ${schema}.person order by id`);
  const mails = await listMessages(pool, { limit: 1_000 });
  return {
    people: changed.length,
    companies: await count(pool, `${schema}.company`),
    tasks: await count(pool, `${schema}.task`),
    links: await count(pool, `${schema}.task_target`),
    // In one statement: the relay of the worker that goes on moves them from one to the other.
    events: await count(pool, "(select id from tandem.outbox union all select id from tandem.record_events) moved"),
    subjects: new Set(mails.map((mail) => mail.subject)).size,
    messageIds: new Set(mails.map((mail) => mail.headers["message-id"])).size,
    results: results[0]?.hash,
    ended,
    changed,
  };
}
