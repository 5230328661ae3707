import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { PoolClient } from "pg";
import { expect, test } from "vitest";
import { activateWorkflow } from "../../src/catalog/activation.ts";
import { createWorkflow } from "../../src/catalog/drafts.ts";
import { recordColumns } from "../../src/crm/objects.ts";
import { addUpdateOfLocked } from "../../src/crm/write.ts";
import { createStatement } from "../../src/sql.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createDice, type Dice } from "../crm/model/dice.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace, recordKinds } from "../support/engine.ts";
import { until } from "../support/until.ts";
import { startWorkerProcess } from "../support/worker-process.ts";

const { pool, url } = await createTestDatabase();
const { workspace, objects } = await createTestWorkspace(pool);
const person = objects.find("person")!;
const wanted = 20_000;
const writers = 8;
const kills = 10;

/** Statements of one transaction, each a change of some records, and whether it is rolled back. */
interface Plan {
  readonly statements: readonly (readonly string[])[];
  readonly isRolledBack: boolean;
  /** Milliseconds that it stays open before its end. */
  readonly openMs: number;
}

/** Records in one order, so that no two transactions wait for one another. */
function planTransaction(dice: Dice, ids: readonly string[]): Plan {
  const chosen = ids.filter(() => dice.oneIn(12)).slice(0, 1 + dice.below(60));
  const size = 1 + dice.below(12);
  const statements = Array.from({ length: Math.ceil(chosen.length / size) }, (_, n) =>
    chosen.slice(n * size, (n + 1) * size),
  );
  return { statements, isRolledBack: dice.oneIn(8), openMs: dice.below(40) };
}

async function writeAll(seed: number, ids: readonly string[]): Promise<number> {
  const dice = createDice(seed);
  const client = await pool.connect();
  let written = 0;
  try {
    for (let number = 0; written < wanted / writers; number++) {
      const plan = planTransaction(dice, ids);
      await client.query("begin");
      for (const [position, changed] of plan.statements.entries())
        await change(client, changed, `${seed} ${number} ${position}`);
      await client.query("select pg_sleep($1)", [plan.openMs / 1_000]);
      await client.query(plan.isRolledBack ? "rollback" : "commit");
      if (!plan.isRolledBack) written += plan.statements.flat().length;
    }
  } finally {
    client.release();
  }
  return written;
}

async function change(client: PoolClient, ids: readonly string[], jobTitle: string): Promise<void> {
  const statement = createStatement();
  statement.with(
    "locked",
    `select ${recordColumns(person, "r")} from ${person.table} r where r.id = any(${statement.param(ids, "uuid[]")}) order by r.id for update`,
  );
  const actor = { source: "API", name: "test" } as const;
  addUpdateOfLocked(
    { statement, workspace, objects, object: person, actor, origin: null },
    { values: [{ field: person.field("jobTitle")!, value: jobTitle }] },
  );
  await client.query(statement.query("select count(*) from changed"));
}

async function counted(text: string): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`select count(*) from ${text}`);
  return rows[0]?.count ?? 0;
}

test("relays that are killed again and again start one run for each committed event, in each record's order", async () => {
  await pool.query("insert into tandem.installation (id) values ('killed00') on conflict do nothing");
  const catalog = { workspaceId: workspace.id, kinds: recordKinds, triggerKinds, objects, quickLane: true };
  const { id: workflowId } = await createWorkflow(pool, catalog, {
    formatVersion: 1,
    key: "listening",
    name: "Listening",
    triggers: [
      {
        id: "change",
        kind: "record-event",
        objects: ["person"],
        events: ["updated"],
        condition: { field: "city", operator: "equals", value: "Heard" },
      },
    ],
    steps: [],
  });
  await activateWorkflow(pool, catalog, workflowId);
  await pool.query(
    `insert into ${person.table} (id, city) select gen_random_uuid(), case when n % 2 = 0 then 'Heard' else 'Unheard' end from generate_series(1, 400) n`,
  );
  const { rows: people } = await pool.query<{ id: string }>(`select id from ${person.table} order by id`);

  // Temporal is away: what is looked at are the runs that are enqueued.
  const start = (): ChildProcess => startWorkerProcess({ DATABASE_URL: url, TEMPORAL_ADDRESS: "127.0.0.1:1" });
  const relays = [start(), start()];
  const writing = Array.from({ length: writers }, (_, seed) =>
    writeAll(
      seed + 1,
      people.map(({ id }) => id),
    ),
  );
  for (let kill = 0; kill < kills; kill++) {
    const reached = (wanted * (kill + 1)) / (kills + 2);
    await until(`${reached} events`, async () => (await counted("tandem.record_events")) >= reached, 120_000);
    // A relay that is killed while nothing waits proves nothing.
    await until("events wait", async () => (await counted("tandem.outbox")) > 0, 120_000);
    const killed = relays[kill % 2]!;
    killed.kill("SIGKILL");
    await once(killed, "close");
    relays[kill % 2] = start();
  }
  const written = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0);
  await until("the outbox is empty", async () => (await counted("tandem.outbox")) === 0, 120_000);

  expect(written).toBeGreaterThanOrEqual(wanted);
  expect(await counted("tandem.record_events")).toBe(written);
  const heard = `tandem.record_events e join ${person.table} p on p.id = e.record_id and p.city = 'Heard'`;
  expect(await counted("tandem.runs")).toBe(await counted(heard));
  expect(await counted(`${heard} where (select count(*) from tandem.runs r where r.id = any(e.run_ids)) <> 1`)).toBe(0);
  expect(await counted("(select distinct trigger ->> 'eventId' from tandem.runs) r")).toBe(await counted(heard));

  // Each event of a record, and each run, goes on from where the one before it ended.
  const { rows: broken } = await pool.query(
    `select record_id from (select record_id, before, lag(after) over (partition by record_id order by relayed_at, id) as previous,
        lag(id) over (partition by record_id order by relayed_at, id) as earlier, id from tandem.record_events) e
     where previous is distinct from before and earlier is not null or earlier > id`,
  );
  expect(broken).toEqual([]);
  const { rows: turned } = await pool.query(
    `select id from (select id, (trigger ->> 'eventId')::bigint as event,
        lag((trigger ->> 'eventId')::bigint) over (partition by trigger #>> '{record,id}' order by id) as earlier from tandem.runs) r
     where earlier > event`,
  );
  expect(turned).toEqual([]);
}, 300_000);
