import { expect, test } from "vitest";
import { upsertRecords } from "../../src/crm/batch.ts";
import { findRecord } from "../../src/crm/read.ts";
import { createRecord, deleteRecord, updateRecord, upsertRecord } from "../../src/crm/operations.ts";
import { createTestDatabase } from "../support/database.ts";
import { until } from "../support/until.ts";
import { createCrm, type Event } from "./support.ts";

const { pool } = await createTestDatabase();
const crm = await createCrm(pool);
const { writer, object, make, events, count } = crm;
const [person, company, task] = [object("person"), object("company"), object("task")];

const fifty = Array.from({ length: 50 }, (_, i) => i);
const made = (changes: { outcome: string }[]) => changes.filter(({ outcome }) => outcome === "created");

test("fifty at once who make a person of one address make one, and the others change it", async () => {
  const changes = await Promise.all(
    fifty.map((i) =>
      createRecord(writer, {
        object: person,
        ifExists: "update",
        values: {
          emails: { primaryEmail: i % 2 === 0 ? "ada@race.example" : "ADA@race.example" },
          jobTitle: `Job ${i}`,
        },
      }),
    ),
  );
  expect(new Set(changes.map(({ id }) => id)).size).toBe(1);
  expect(made(changes)).toHaveLength(1);
  expect(await count("person")).toBe(1);
  expectChain(await events(changes[0]!.id));
});

test("of fifty at once who insist on making it one succeeds, and the others hear by which record it is taken", async () => {
  const before = await count("person");
  const outcomes = await Promise.allSettled(
    fifty.map(() => make("person", { emails: { primaryEmail: "one@race.example" } })),
  );
  const ids = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value.id] : []));
  expect(ids).toHaveLength(1);
  for (const refused of refusals(outcomes))
    expect(refused).toMatchObject({ code: "record-exists", details: { fields: ["emails"], id: ids[0] } });
  expect(await count("person")).toBe(before + 1);
});

test("fifty upserts at once of one name, which no index guards, make one company", async () => {
  const before = await count("company");
  const changes = await Promise.all(
    fifty.map((i) =>
      upsertRecord(writer, { object: company, match: ["name"], values: { name: "Race & Sons", employees: i } }),
    ),
  );
  expect(await count("company")).toBe(before + 1);
  expect(made(changes)).toHaveLength(1);
  expectChain(await events(changes[0]!.id));
});

test("fifty upserts at once of one domain, however it is written, make one company", async () => {
  const before = await count("company");
  const ways = ["race.example", "https://www.Race.example/about", "HTTP://race.example:80/", " race.example. "];
  const changes = await Promise.all(
    fifty.map((i) =>
      upsertRecord(writer, {
        object: company,
        match: ["domainName"],
        values: { domainName: { primaryLinkUrl: ways[i % ways.length]! }, employees: i },
      }),
    ),
  );
  expect(await count("company")).toBe(before + 1);
  expect(made(changes)).toHaveLength(1);
  expectChain(await events(changes[0]!.id));
});

test("upserts of different names do not wait for one another", async () => {
  const before = await count("company");
  await Promise.all(
    fifty.map((i) => upsertRecord(writer, { object: company, match: ["name"], values: { name: `Company ${i % 10}` } })),
  );
  expect(await count("company")).toBe(before + 10);
});

test("upserts by several fields at once, a unique one among them, make one record", async () => {
  const before = await count("company");
  await Promise.all(
    fifty.map((i) =>
      upsertRecord(writer, {
        object: company,
        match: ["name", "domainName"],
        values: { name: "Two", domainName: { primaryLinkUrl: i % 2 === 0 ? "two.example" : "https://two.example" } },
      }),
    ),
  );
  expect(await count("company")).toBe(before + 1);
});

test("of changes of one record at once each begins where the one before ended, in the order of their events", async () => {
  const { id } = await make("company", { name: "Chain", employees: 0 });
  const changes = await Promise.all(
    fifty.map((i) => updateRecord(writer, { object: company, id, values: { employees: i % 7, name: `Chain ${i}` } })),
  );
  expect(changes.every(({ outcome }) => outcome === "updated")).toBe(true);
  const chain = await events(id);
  expect(chain).toHaveLength(51);
  expectChain(chain);
});

test("of fifty who change a version that they read only one does", async () => {
  const { id, record } = await make("company", { name: "Version" });
  const outcomes = await Promise.allSettled(
    fifty.map((i) =>
      updateRecord(writer, {
        object: company,
        id,
        values: { employees: i + 1 },
        onlyIf: { unchangedSince: record },
      }),
    ),
  );
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const refused of refusals(outcomes)) expect(refused).toMatchObject({ code: "precondition-failed" });
  expect(await events(id)).toHaveLength(2);
});

test("a link that many make at once is there once", async () => {
  const { id: personId } = await make("person", {});
  const { id } = await make("task", { title: "Call" });
  const links = [{ object: "person", id: personId }];
  await Promise.all(fifty.map(() => updateRecord(writer, { object: task, id, values: {}, links })));
  expect(await count("taskTarget")).toBe(1);
  expect((await events()).filter((event) => event.object === "taskTarget")).toHaveLength(1);
});

test("a company destroyed while people join it leaves nobody behind without an event", async () => {
  const { id: companyId } = await make("company", { name: "Closing" });
  const joined = Promise.allSettled(fifty.map((i) => make("person", { companyId, city: `City ${i}` })));
  await deleteRecord(writer, { object: company, id: companyId, permanently: true });
  const outcomes = await joined;
  for (const { code } of refusals(outcomes)) expect(code).toBe("related-record-not-found");
  for (const outcome of outcomes.filter((one) => one.status === "fulfilled")) {
    const chain = await events(outcome.value.id);
    expect(chain.map(({ kind, after }) => [kind, after?.["companyId"]])).toEqual([
      ["created", companyId],
      ["updated", null],
    ]);
    expectChain(chain);
  }
});

function refusals(outcomes: readonly PromiseSettledResult<unknown>[]) {
  return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
}

/** Each event's before is the after of the one before it; versions rise. */
function expectChain(chain: readonly Event[]): void {
  expect(chain[0]).toMatchObject({ kind: "created", before: null });
  expect(chain.slice(1).map(({ before }) => before)).toEqual(chain.slice(0, -1).map(({ after }) => after));
  const versions = chain.map(({ after }) => String(after?.["updatedAt"]));
  expect(versions).toEqual([...new Set(versions)].toSorted());
}

async function untilSomebodyWaits(): Promise<void> {
  await until("somebody waits for a record", async () => {
    const { rows } = await pool.query<{ waits: boolean }>(
      "select exists (select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock') as waits",
    );
    return rows[0]?.waits;
  });
}

test.each<[string, (name: string, domain: string) => Promise<string | null | undefined>]>([
  [
    "an upsert by a unique field",
    async (name, domain) =>
      (
        await upsertRecord(writer, {
          object: company,
          match: ["domainName"],
          values: { name, domainName: { primaryLinkUrl: domain } },
        })
      ).id,
  ],
  [
    "an upsert by a field that no index guards",
    async (name) => (await upsertRecord(writer, { object: company, match: ["name"], values: { name } })).id,
  ],
  [
    "a batch",
    async (name) => (await upsertRecords(writer, { object: company, match: ["name"], rows: [{ name }] }))[0]?.id,
  ],
])("%s leaves a record alone that is another by the time it can be changed", async (way, upsert) => {
  const [before, after] = [`Before ${way}`, `After ${way}`];
  const domain = `${way.length}.before.example`;
  const { id } = await make("company", { name: before, domainName: { primaryLinkUrl: domain } });
  const client = await pool.connect();
  let upserted: ReturnType<typeof upsert>;
  try {
    await client.query("begin");
    await client.query(
      `update ${company.table} set name = $2, domain_name = domain_name || '{"primaryLinkUrl": ""}' where id = $1`,
      [id, after],
    );
    upserted = upsert(before, domain);
    await untilSomebodyWaits();
  } finally {
    await client.query("commit");
    client.release();
  }
  expect(await upserted).not.toBe(id);
  expect((await findRecord(pool, company, id))?.["name"]).toBe(after);
});

test("an upsert that waits for a merge finds the record that has the name by then", async () => {
  const [kept, gone] = [await make("company", {}), await make("company", { name: "Moved" })];
  const client = await pool.connect();
  let upserted: ReturnType<typeof upsertRecord>;
  try {
    await client.query("begin");
    await client.query(`update ${company.table} set deleted_at = now() where id = $1`, [gone.id]);
    await client.query(`update ${company.table} set name = 'Moved' where id = $1`, [kept.id]);
    upserted = upsertRecord(writer, { object: company, match: ["name"], values: { name: "Moved", employees: 7 } });
    await untilSomebodyWaits();
  } finally {
    await client.query("commit");
    client.release();
  }
  expect(await upserted).toMatchObject({ id: kept.id, outcome: "updated" });
});
