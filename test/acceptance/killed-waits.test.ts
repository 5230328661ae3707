import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import type { Json } from "../../src/json.ts";
import { answerQuestion } from "../../src/runs/questions/answer.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";
import { until } from "../support/until.ts";
import { startWorkerProcess } from "../support/worker-process.ts";
import { callable } from "../worker/waits/support.ts";

const callers = 40;
const kills = 8;

const { pool, url } = await createTestDatabase();
const { mail } = await startTestMailbox(pool);
// It describes the workflows; the workers are processes of their own.
const engine = await startTestEngine(pool, { kinds: createStepKinds({ mail }), paused: true });
const { id: workspaceId, schemaName } = engine.workspace;

const note = (id: string, title: string): Json => ({
  id,
  kind: "create-record",
  input: { object: "task", values: { title } },
});
const pause: Json = { id: "pause", kind: "wait", input: { for: "300ms" } };
const child = callable("called", [pause, note("made", "called {{ trigger.inputs.name }}")]);
const caller = definitionOf("caller", [
  note("begun", "begun {{ trigger.body.name }}"),
  { id: "call", kind: "run-workflow", input: { workflow: "called", inputs: { name: "{{ trigger.body.name }}" } } },
  {
    id: "both",
    kind: "parallel",
    branches: [
      { name: "time", steps: [pause] },
      {
        name: "person",
        steps: [{ id: "decision", kind: "ask", input: { title: "Is {{ trigger.body.name }} done?" } }],
      },
    ],
  },
  note("ended", "ended {{ trigger.body.name }}"),
]);

test(
  "what waits, calls and asks is done once each, whichever worker is killed and whenever",
  { timeout: 300_000 },
  async () => {
    await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
    // Fewer slots than runs, so that those that wait and those that are called have to share.
    await pool.query("update tandem.workspaces set run_limit = 8 where id = $1", [workspaceId]);
    await engine.activate(child);
    const workflow = await engine.activate(caller);
    const environment = { DATABASE_URL: url, TEMPORAL_ADDRESS: engine.link.address };
    const workers: ChildProcess[] = [startWorkerProcess(environment), startWorkerProcess(environment)];
    const ids: string[] = [];
    for (let number = 0; number < callers; number++) ids.push(await engine.enqueue(workflow, { name: `N${number}` }));

    let met = 0;
    let over = false;
    const kill = async (): Promise<void> => {
      for (let number = 0; number < kills && !over; number++) {
        await until("steps to be in flight", async () => over || (await inFlight()) > 0, 120_000);
        await sleep(number * 37);
        if ((await inFlight()) > 0) met += 1;
        workers.shift()?.kill("SIGKILL");
        workers.push(startWorkerProcess(environment));
      }
    };
    const answer = async (): Promise<void> => {
      for (; !over; await sleep(50)) {
        for (const questionId of await openQuestions())
          await answerQuestion(pool, {
            workspaceId,
            questionId,
            answer: { approved: true },
            answeredBy: { kind: "api-key", name: "Tester" },
          });
      }
    };
    const finish = async (): Promise<void> => {
      try {
        for (const id of ids) expect(await engine.finished(id, 240_000)).toMatchObject({ status: "completed" });
      } finally {
        over = true;
      }
    };
    await Promise.all([kill(), answer(), finish()]);

    console.info(`${met} of ${kills} kills met a step in flight`);
    expect(met).toBeGreaterThan(kills / 2);
    const { rows } = await pool.query<{ title: string; times: number }>(
      `select title, count(*) as times from "${schemaName}".task group by title`,
    );
    expect(rows.filter(({ times }) => times !== 1)).toEqual([]);
    expect(rows).toHaveLength(callers * 3);
    const { rows: called } = await pool.query(
      "select status, count(*) as times, count(distinct caller_run_id) as callers from tandem.runs where caller_run_id is not null group by status",
    );
    expect(called).toEqual([{ status: "completed", times: callers, callers }]);
    const { rows: asked } = await pool.query("select state, count(*) as times from tandem.questions group by state");
    expect(asked).toEqual([{ state: "answered", times: callers }]);
  },
);

async function openQuestions(): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>("select id from tandem.questions where state = 'open'");
  return rows.map(({ id }) => id);
}

/** Runs that hold a slot: a worker is at them, or they are on their way to one. */
async function inFlight(): Promise<number> {
  const { rows } = await pool.query<{ total: number }>(
    `select count(*) as total from tandem.runs r where r.status = 'running'
       and exists (select 1 from tandem.step_results s where s.run_id = r.id)`,
  );
  return rows[0]!.total;
}
