import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { createRecord, deleteRecord, updateRecord } from "../../src/crm/operations.ts";
import { createId } from "../../src/ids.ts";
import type { Loop } from "../../src/runs/loop.ts";
import { createRelay, relayAll, relayShard } from "../../src/runs/relay.ts";
import { createPool, inTransaction, isUnavailable, type Sql, type SqlPool } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace, recordKinds as kinds } from "../support/engine.ts";
import { until } from "../support/until.ts";

const database = await createTestDatabase();
const { pool, url } = database;
const { workspace, objects, writer } = await createTestWorkspace(pool);
const person = objects.list().find((object) => object.name === "person")!;

const running: Loop[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((relay) => relay.stop()));
  await pool.query("truncate tandem.outbox, tandem.record_events");
});

function startRelay(options: { pool?: SqlPool; pollMs?: number } = {}): Loop & { lines: Array<{ msg: string }> } {
  const lines: Array<{ msg: string }> = [];
  const log = pino(
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(JSON.parse(String(chunk)));
        done();
      },
    }),
  );
  const relay = createRelay({ pool, log, kinds, pollMs: 20, ...options });
  running.push(relay);
  relay.start();
  return { ...relay, lines };
}

/** An event as a write leaves it; gives its id. */
async function insertEvent(sql: Sql, shard: number): Promise<number> {
  const { rows } = await sql.query<{ id: number }>(
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, actor)
     values ($1, $2, 'person', $3, 'created', '{"source":"API"}') returning id`,
    [shard, workspace.id, createId()],
  );
  return rows[0]!.id;
}

async function waiting(): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>("select id from tandem.outbox order by id");
  return rows.map(({ id }) => id);
}

async function relayed(): Promise<number[]> {
  const { rows } = await pool.query<{ id: number }>("select id from tandem.record_events order by relayed_at, id");
  return rows.map(({ id }) => id);
}

test("an event that commits after a later one is relayed all the same, and keeps nobody meanwhile", async () => {
  const late = await pool.connect();
  await late.query("begin");
  const lateId = await insertEvent(late, 3);
  const id = await insertEvent(pool, 3);
  expect(lateId).toBeLessThan(id);
  expect(await relayShard({ pool, kinds }, 3)).toBe(1);
  expect(await relayed()).toEqual([id]);
  await late.query("commit");
  late.release();
  expect(await relayShard({ pool, kinds }, 3)).toBe(1);
  expect(await relayed()).toEqual([id, lateId]);
  expect(await waiting()).toEqual([]);
});

test("an event goes to the history as it was written", async () => {
  const made = await createRecord(writer, { object: person, values: { jobTitle: "CTO" } });
  const changed = await updateRecord(writer, { object: person, id: made.id, values: { jobTitle: "CEO" } });
  await deleteRecord(writer, { object: person, id: made.id, permanently: true });
  const columns = "id, workspace_id, object, record_id, kind, before, after, changed_fields, actor, origin, created_at";
  const { rows: before } = await pool.query(`select ${columns} from tandem.outbox order by id`);
  await relayAll({ pool, kinds });
  const { rows: after } = await pool.query(`select ${columns} from tandem.record_events order by id`);
  expect(after).toEqual(before);
  expect(after).toMatchObject([
    { kind: "created", before: null, after: { jobTitle: "CTO" }, origin: null },
    { kind: "updated", before: { jobTitle: "CTO" }, after: changed.record, changed_fields: ["jobTitle"] },
    { kind: "destroyed", before: { jobTitle: "CEO" }, after: null },
  ]);
});

test("events of a record stay in order while several relays and several writers are at work", async () => {
  const people = await Promise.all(
    Array.from({ length: 6 }, () => createRecord(writer, { object: person, values: { jobTitle: "0" } })),
  );
  for (let i = 0; i < 4; i++) startRelay({ pollMs: 1 });
  const write = async (from: number): Promise<void> => {
    for (let i = 0; i < 15; i++) {
      const { id } = people[(from + i) % people.length]!;
      await updateRecord(writer, { object: person, id, values: { jobTitle: `${from} ${i}` } });
    }
  };
  await Promise.all(Array.from({ length: 8 }, (_, from) => write(from)));
  await until("the outbox is empty", async () => (await waiting()).length === 0);
  expect(await relayed()).toHaveLength(people.length + 8 * 15);
  for (const { id } of people) {
    const { rows } = await pool.query<{ id: number; before: unknown; after: unknown }>(
      "select id, before, after from tandem.record_events where record_id = $1 order by relayed_at",
      [id],
    );
    expect(rows.map((event) => event.id)).toEqual(rows.map((event) => event.id).toSorted((a, b) => a - b));
    // Each event goes on from where the one before it ended: none is missing, none is out of turn.
    expect(rows.slice(1).map((event) => event.before)).toEqual(rows.slice(0, -1).map((event) => event.after));
  }
});

test("a backlog of more than a batch is moved whole, each event once", async () => {
  await pool.query(
    `insert into tandem.outbox (shard, workspace_id, object, record_id, kind, actor)
     select n % 16, $1, 'person', gen_random_uuid(), 'created', '{}' from generate_series(1, 12000) n`,
    [workspace.id],
  );
  const ids = await waiting();
  // Rounds that follow at once, since the next poll would be in a minute.
  for (let i = 0; i < 3; i++) startRelay({ pollMs: 60_000 });
  await until("the outbox is empty", async () => (await waiting()).length === 0);
  expect((await relayed()).toSorted((a, b) => a - b)).toEqual(ids);
});

test("a relay whose connection breaks in the middle of a move loses nothing and doubles nothing", async () => {
  const ids = [await insertEvent(pool, 5), await insertEvent(pool, 5)];
  const own = createPool({ url, max: 2, name: "doomed-relay" });
  // The move has deleted from the outbox and waits to insert, since somebody holds the same key.
  const blocker = await pool.connect();
  await blocker.query("begin");
  await blocker.query(
    `insert into tandem.record_events (id, workspace_id, object, record_id, kind, changed_fields, actor, created_at)
     values ($1, $2, 'person', $2, 'created', '{}', '{}', now())`,
    [ids[1], workspace.id],
  );
  const relay = startRelay({ pool: own });
  await until("the move is in the middle", () => terminate("wait_event_type = 'Lock'"));
  await blocker.query("rollback");
  blocker.release();
  await until("another move has ended", async () => (await relayed()).length > 0);
  await relay.stop();
  await own.end();
  expect(await relayed()).toEqual(ids);
  expect(await waiting()).toEqual([]);
});

async function terminate(condition: string): Promise<boolean> {
  const { rowCount } = await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and application_name = 'doomed-relay' and ${condition}`,
  );
  return (rowCount ?? 0) > 0;
}

test("a relay that is stopped in the middle keeps its shard from others for a moment only", async () => {
  const id = await insertEvent(pool, 7);
  const other = await insertEvent(pool, 8);
  const stopped = inTransaction(pool, async (sql) => {
    await sql.query("select 1 from tandem.outbox_shards where shard = 7 for update");
    startRelay();
    await until("other shards are served meanwhile", async () => (await relayed()).includes(other));
    expect(await waiting()).toEqual([id]);
    await until("Postgres has rolled the stopped one back", async () => (await relayed()).includes(id));
    await sql.query("select 1");
  });
  expect(await stopped.then(() => "committed", isUnavailable)).toBe(true);
  expect(await relayed()).toEqual([other, id]);
});

test("the bell makes a relay look at once", async () => {
  const relay = startRelay({ pollMs: 60_000 });
  const ids: number[] = [];
  for (let i = 0; i < 3; i++) {
    ids.push(await insertEvent(pool, 1));
    await until("it has looked", async () => {
      relay.ring();
      return (await waiting()).length === 0;
    });
  }
  expect(await relayed()).toEqual(ids);
});

test("a relay outlives Postgres going away, says so once, and once when it goes on", async () => {
  const line = await openLine(new URL(url));
  const own = createPool({ url: line.url, max: 2, name: "relay" });
  const relay = startRelay({ pool: own });
  const first = await insertEvent(pool, 2);
  await until("it runs", async () => (await relayed()).includes(first));
  line.cut();
  const second = await insertEvent(pool, 2);
  await until("it has tried four times", () => line.refused() >= 4);
  line.mend();
  await until("it goes on", async () => (await relayed()).includes(second));
  await until("it has said so", () => relay.lines.length >= 2);
  await relay.stop();
  await own.end();
  await line.close();
  expect(relay.lines.map(({ msg }) => msg)).toEqual([
    "relaying record events waits: Postgres is away; it is tried again",
    "relaying record events goes on",
  ]);
});

/** A way to Postgres that can be cut: connections break, and new ones are refused at once. */
async function openLine(target: URL): Promise<{
  url: string;
  cut(): void;
  mend(): void;
  refused(): number;
  close(): Promise<void>;
}> {
  let isCut = false;
  let refused = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    if (isCut) {
      refused += 1;
      near.destroy();
      return;
    }
    const far = connect(Number(target.port), target.hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = new URL(target);
  url.hostname = "127.0.0.1";
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      isCut = false;
    },
    refused: () => refused,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
