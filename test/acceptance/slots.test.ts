import { expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";
import { startTestSmtp } from "../support/smtp.ts";
import { until } from "../support/until.ts";
import { startWorkerProcess } from "../support/worker-process.ts";

const runs = 1_000;
const limit = 100;
/** Time in which a mail beyond the limit would come in. */
const graceMs = 300;

const smtp = await startTestSmtp();
const { pool, url } = await createTestDatabase();
const { mail } = await startTestMailbox(pool);
// It describes the workflow; the workers are processes of their own.
const engine = await startTestEngine(pool, { kinds: createStepKinds({ mail }), paused: true });

/** Mails that the server has and has not answered yet: it answers once as many are there as may be. */
const held: (() => void)[] = [];
let most = 0;
let answered = 0;
smtp.behaviour = {
  data: () =>
    new Promise((answer) => {
      most = Math.max(most, held.push(answer));
      if (held.length === Math.min(limit, runs - answered)) setTimeout(answerAll, graceMs);
    }),
};

function answerAll(): void {
  answered += held.length;
  for (const answer of held.splice(0)) answer();
}

test(
  "of a thousand runs that mail through a slow server a hundred are there at once, from two workers, and all arrive once",
  { timeout: 600_000 },
  async () => {
    await pool.query("update tandem.workspaces set run_limit = $1 where id = $2", [limit, engine.workspace.id]);
    const tell = {
      id: "tell",
      kind: "send-email",
      input: { to: ["sales@x.example"], subject: "Lead {{ trigger.body.number }}", text: "Lead" },
    };
    const workflow = await engine.activate(definitionOf("slow-mails", [tell]));
    for (let number = 0; number < runs; number++) await engine.enqueue(workflow, { number });
    await pool.query("insert into tandem.installation (id) values ($1)", [engine.installation]);
    for (let worker = 0; worker < 2; worker++)
      startWorkerProcess({
        DATABASE_URL: url,
        TEMPORAL_ADDRESS: engine.link.address,
        SMTP_URL: `smtp://127.0.0.1:${smtp.port}`,
        // Each could send as many at once as both together may.
        WORKER_EMAIL_CONCURRENCY: String(limit),
      });
    await until(
      "all runs to be over",
      async () => {
        const { rows } = await pool.query<{ open: number }>(
          "select count(*)::integer as open from tandem.runs where ended_at is null",
        );
        return rows[0]?.open === 0;
      },
      580_000,
    );
    expect(most).toBe(limit);
    const { rows } = await pool.query(
      `select r.status, s.attempts, count(*)::integer as runs from tandem.runs r
       join tandem.step_results s on s.run_id = r.id group by 1, 2`,
    );
    expect(rows).toEqual([{ status: "completed", attempts: 1, runs }]);
    const subjects = smtp.mails.map(({ raw }) => /^Subject: (.*)$/m.exec(raw)?.[1]?.trim());
    expect(subjects).toHaveLength(runs);
    expect(new Set(subjects).size).toBe(runs);
  },
);
