import type { ChildProcess } from "node:child_process";
import { expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";
import { startTestSmtp } from "../support/smtp.ts";
import { until } from "../support/until.ts";
import { startWorkerProcess } from "../support/worker-process.ts";

const people = 600;
const mails = 40;
const bad = 377;

const smtp = await startTestSmtp();
const { pool, url } = await createTestDatabase();
const { mail } = await startTestMailbox(pool);
// It describes the workflow; the workers are processes of their own.
const engine = await startTestEngine(pool, { kinds: createStepKinds({ mail }), paused: true });

const steps = [
  {
    id: "each",
    kind: "iterator",
    items: "{{ trigger.body.people }}",
    onItemError: "continue",
    steps: [
      {
        id: "person",
        kind: "create-record",
        input: {
          object: "person",
          values: {
            emails: { primaryEmail: "{{ each.item.email }}" },
            companyId: "{{ each.item.company | optional }}",
          },
        },
      },
      {
        id: "task",
        kind: "create-record",
        input: { object: "task", values: { title: "Call {{ each.item.email }}" } },
      },
    ],
    output: { id: "{{ person.id }}" },
  },
  {
    id: "tell",
    kind: "iterator",
    items: "{{ trigger.body.addresses }}",
    concurrency: 4,
    steps: [
      { id: "mail", kind: "send-email", input: { to: "{{ tell.item }}", subject: "{{ tell.index }}", text: "x" } },
    ],
  },
];

test("loops go on exactly where they were when workers are killed in their middle", { timeout: 240_000 }, async () => {
  const workflow = await engine.activate(
    definitionOf("killed-loop", steps, { output: { each: "{{ each.counts }}", tell: "{{ tell.counts }}" } }),
  );
  const runId = await engine.enqueue(workflow, {
    people: Array.from({ length: people }, (_, number) => ({
      email: `p${number}@killed.example`,
      ...(number === bad ? { company: "no id" } : {}),
    })),
    addresses: Array.from({ length: mails }, (_, number) => `m${number}@killed.example`),
  });
  await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
  const startWorker = (): ChildProcess =>
    startWorkerProcess({
      DATABASE_URL: url,
      TEMPORAL_ADDRESS: engine.link.address,
      SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
    });
  for (const [loop, over] of [
    ["each", people / 3],
    ["tell", mails / 4],
  ] as const) {
    const worker = startWorker();
    await until(`${over} items of ${loop}`, async () => (await countItems(runId, loop)) >= over, 120_000);
    expect(await isOver(runId, loop)).toBe(false);
    worker.kill("SIGKILL");
  }
  startWorker();
  expect(await engine.finished(runId, 120_000)).toMatchObject({
    status: "completed",
    output: {
      each: { total: people, succeeded: people - 1, failed: 1, filtered: 0 },
      tell: { total: mails, succeeded: mails, failed: 0, filtered: 0 },
    },
  });
  const { rows } = await pool.query<{ kind: string; object: string; records: number; events: number }>(
    `select kind, object, count(distinct record_id)::integer as records, count(*)::integer as events
     from (select kind, object, record_id from tandem.outbox union all select kind, object, record_id from tandem.record_events) e
     group by 1, 2 order by 2`,
  );
  // Each made once, and the one that was refused not at all.
  expect(rows).toEqual([
    { kind: "created", object: "person", records: people - 1, events: people - 1 },
    { kind: "created", object: "task", records: people - 1, events: people - 1 },
  ]);
  const { rows: failed } = await pool.query(
    "select item, input from tandem.step_results where run_id = $1 and status = 'failed' and item_of = 'each'",
    [runId],
  );
  expect(failed).toEqual([{ item: bad, input: { email: `p${bad}@killed.example`, company: "no id" } }]);
  const ids = smtp.mails.map(({ raw }) => /^Message-ID:\s*(<[^>]+>)/im.exec(raw)?.[1]);
  expect(new Set(ids).size).toBe(mails);
});

async function countItems(runId: string, loop: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    "select count(*)::integer as count from tandem.step_results where run_id = $1 and item_of = $2",
    [runId, loop],
  );
  return rows[0]!.count;
}

async function isOver(runId: string, loop: string): Promise<boolean> {
  const { rowCount } = await pool.query("select 1 from tandem.step_results where run_id = $1 and path = $2", [
    runId,
    loop,
  ]);
  return rowCount === 1;
}
