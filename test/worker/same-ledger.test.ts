import { expect, test } from "vitest";
import { createSendEmail } from "../../src/activities/send-email.ts";
import { isQuick } from "../../src/definition/compile/policies.ts";
import { controlKinds } from "../../src/definition/schema.ts";
import { listTemplates } from "../../src/catalog/templates.ts";
import { createRecord } from "../../src/crm/operations.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { relayAll } from "../../src/runs/relay.ts";
import type { SqlPool } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine, type TestEngine } from "../support/engine.ts";
import { startTestMailbox } from "../support/mail.ts";

/** The same world twice: one runs in the quick lane, the other has every step as an activity. */
const lanes = await Promise.all([true, false].map(startLane));

async function startLane(quickLane: boolean): Promise<{ quickLane: boolean; pool: SqlPool; engine: TestEngine }> {
  const { pool } = await createTestDatabase();
  const { mail } = await startTestMailbox(pool);
  const engine = await startTestEngine(pool, { kinds: { "send-email": createSendEmail(mail) } });
  for (const name of ["one", "two"]) {
    const object = engine.objects.find("workspaceMember")!;
    await createRecord(engine.writer, { object, values: { userEmail: `${name}@reps.example` } });
  }
  return { quickLane, pool, engine };
}

const email = "{{ trigger.body.email }}";
const ada = { emails: { primaryEmail: email } };
const unknownId = "0197f5f0-0000-7000-8000-00000000dead";
const find = {
  id: "found",
  kind: "search-records",
  input: { object: "person", filter: { field: "emails.primaryEmail", operator: "equals", value: email }, limit: 1 },
};

/** Every step kind, failing and handled ones included: steps, and the bodies of the runs that follow each other. */
const cases: Record<string, { steps: Json[]; bodies: JsonObject[]; rest?: JsonObject }> = {
  "search-records and set": {
    steps: [
      find,
      { id: "said", kind: "set", input: { total: "{{ found.total }}", none: "{{ found.first | default: null }}" } },
    ],
    bodies: [{ email: "nobody@x.example" }],
    rest: { output: { total: "{{ said.total }}" } },
  },
  "create-record": {
    steps: [
      {
        id: "made",
        kind: "create-record",
        input: { object: "person", values: { ...ada, jobTitle: "{{ trigger.body.role | optional }}" } },
      },
      {
        id: "task",
        kind: "create-record",
        input: { object: "task", values: { title: "Call" }, links: [{ object: "person", id: "{{ made.id }}" }] },
      },
    ],
    bodies: [{ email: "create@x.example" }, { email: "CREATE@x.example" }],
  },
  "create-record that uses or updates what is there": {
    steps: [
      {
        id: "first",
        kind: "create-record",
        input: { object: "person", ifExists: "use", values: { ...ada, city: "Turin" } },
      },
      {
        id: "second",
        kind: "create-record",
        input: { object: "person", ifExists: "update", values: { ...ada, city: "Paris" } },
      },
    ],
    bodies: [{ email: "exists@x.example" }, { email: "exists@x.example" }],
  },
  "count-records": {
    steps: [
      { id: "made", kind: "create-record", input: { object: "note", values: { title: email } } },
      {
        id: "counted",
        kind: "count-records",
        input: { object: "note", filter: { field: "title", operator: "equals", value: email } },
      },
    ],
    bodies: [{ email: "count@x.example" }, { email: "count@x.example" }],
  },
  "a loop and a parallel": {
    steps: [
      {
        id: "each",
        kind: "iterator",
        items: ["Rome", "nowhere", "Oslo"],
        onItemError: "continue",
        steps: [
          { id: "some", kind: "filter", when: { left: "{{ each.item }}", operator: "notEquals", right: "nowhere" } },
          { id: "note", kind: "create-record", input: { object: "note", values: { title: "{{ each.item }}" } } },
        ],
        output: { id: "{{ note.id }}" },
      },
      {
        id: "both",
        kind: "parallel",
        branches: [
          // Of several it is not said whose rows come first.
          { name: "only", steps: [{ id: "one", kind: "set", input: { x: 1 } }], output: { x: "{{ one.x }}" } },
        ],
      },
    ],
    bodies: [{ email: "loop@x.example" }],
    rest: { output: { results: "{{ each.results }}", counts: "{{ each.counts }}", both: "{{ both }}" } },
  },
  "update-record": {
    steps: [
      { id: "made", kind: "create-record", input: { object: "person", ifExists: "update", values: ada } },
      {
        id: "changed",
        kind: "update-record",
        input: { object: "person", id: "{{ made.id }}", values: { jobTitle: "CTO", city: null } },
      },
      {
        id: "same",
        kind: "update-record",
        input: { object: "person", id: "{{ made.id }}", values: { jobTitle: "CTO" } },
      },
      {
        id: "guarded",
        kind: "update-record",
        onError: "continue",
        input: {
          object: "person",
          id: "{{ made.id }}",
          values: { jobTitle: "CEO" },
          onlyIf: { field: "city", operator: "equals", value: "Rome" },
        },
      },
      { id: "absent", kind: "update-record", input: { object: "person", id: unknownId, values: { jobTitle: "CEO" } } },
    ],
    bodies: [{ email: "update@x.example" }],
  },
  "upsert-record": {
    steps: [
      {
        id: "byName",
        kind: "upsert-record",
        input: { object: "company", match: ["name"], values: { name: "{{ trigger.body.company }}", employees: 7 } },
      },
      {
        id: "byDomain",
        kind: "upsert-record",
        input: {
          object: "company",
          match: ["domainName"],
          values: { name: "Bar", domainName: { primaryLinkUrl: "https://www.Bar.example/about" } },
        },
      },
    ],
    bodies: [{ company: "Foo" }, { company: "Foo" }],
  },
  "delete-record": {
    steps: [
      { id: "made", kind: "create-record", input: { object: "person", values: ada } },
      { id: "gone", kind: "delete-record", input: { object: "person", id: "{{ made.id }}" } },
      { id: "again", kind: "delete-record", input: { object: "person", id: "{{ made.id }}" } },
      { id: "destroyed", kind: "delete-record", input: { object: "person", id: "{{ made.id }}", permanently: true } },
    ],
    bodies: [{ email: "delete@x.example" }],
  },
  "pick-record": {
    steps: [
      { id: "rep", kind: "pick-record", input: { object: "workspaceMember", strategy: "round-robin" } },
      {
        id: "none",
        kind: "pick-record",
        input: { object: "opportunity", strategy: "round-robin" },
        onError: { codes: ["nothing-to-pick"], output: { id: null } },
      },
    ],
    bodies: [{}, {}, {}],
  },
  "send-email": {
    steps: [
      {
        id: "tell",
        kind: "send-email",
        input: {
          to: ["a@x.example", "A@x.example"],
          cc: ["b@x.example"],
          subject: "For {{ trigger.body.email }}",
          text: "Hello",
        },
      },
      {
        id: "everyOne",
        kind: "send-email",
        input: {
          to: ["a@x.example", "b@x.example"],
          oneEach: true,
          subject: "Each",
          html: "<p>{{ trigger.body.email }}</p>",
        },
      },
      {
        id: "nobody",
        kind: "send-email",
        input: { to: "{{ trigger.body.to | default: trigger.body.none }}", subject: "x", text: "x" },
      },
    ],
    bodies: [{ email: "<b>@x.example", none: [] }],
  },
  "branch and filter": {
    steps: [
      {
        id: "way",
        kind: "branch",
        branches: [
          {
            name: "left",
            when: { left: "{{ trigger.body.way }}", operator: "equals", right: "left" },
            steps: [{ id: "l", kind: "set", input: { x: 1 } }],
            output: { x: "{{ l.x }}" },
          },
          {
            name: "right",
            when: { left: "{{ trigger.body.way }}", operator: "equals", right: "right" },
            steps: [],
            output: { x: 2 },
          },
        ],
      },
      { id: "go", kind: "filter", when: { left: "{{ trigger.body.way }}", operator: "notEquals", right: "right" } },
      {
        id: "after",
        kind: "set",
        input: { way: "{{ way.branch | default: 'none' }}", x: "{{ way.output.x | default: 0 }}" },
      },
    ],
    bodies: [{ way: "left" }, { way: "right" }, { way: "straight on" }],
  },
  "a failure that steps handle": {
    steps: [
      {
        id: "bad",
        kind: "create-record",
        input: { object: "task", values: { dueAt: "{{ trigger.body.when }}" } },
        onError: { steps: [{ id: "noted", kind: "set", input: { why: "{{ error.code }}" } }], output: { id: null } },
      },
      { id: "after", kind: "set", input: { id: "{{ bad.id | default: 'none' }}", ok: "{{ bad.ok }}" } },
    ],
    bodies: [{ when: "never" }],
  },
  "an expression that reads what is missing": {
    steps: [find, { id: "x", kind: "set", input: { id: "{{ found.first.id }}" } }],
    bodies: [{ email: "missing@x.example" }],
  },
  "an output that cannot be evaluated": {
    steps: [find],
    bodies: [{ email: "missing@x.example" }],
    rest: { output: { id: "{{ found.first.id }}" } },
  },
  "values that a field cannot take": {
    steps: [
      {
        id: "bad",
        kind: "create-record",
        input: { object: "opportunity", values: { stage: "{{ trigger.body.stage }}" } },
      },
    ],
    bodies: [{ stage: "Closed won" }],
  },
};

for (const [name, { steps, bodies, rest }] of Object.entries(cases)) {
  test(`both lanes leave the same ledger: ${name}`, async () => {
    const [quick, ordinary] = await Promise.all(
      lanes.map((lane) => ledgerOf(lane, definitionOf(keyOf(name), steps, rest), bodies)),
    );
    expect(quick!.runs.flatMap((run) => run.steps).length).toBeGreaterThan(0);
    expect(quick).toEqual(ordinary);
  });
}

for (const template of await listTemplates()) {
  test(`both lanes leave the same ledger: the template ${template.id}, with every sample`, async () => {
    const bodies = Object.entries(template.samples)
      .filter(([sample]) => !sample.startsWith("bad"))
      .map(([, body]) => body as JsonObject);
    const document = template.document as JsonObject;
    const [quick, ordinary] = await Promise.all(lanes.map((lane) => ledgerOf(lane, document, [...bodies, ...bodies])));
    expect(quick!.runs.every((run) => run.status === "completed")).toBe(true);
    expect(quick).toEqual(ordinary);
  });
}

test("every step kind that either lane may do is among the cases", () => {
  const used = new Set(
    Object.values(cases).flatMap(({ steps }) =>
      [...JSON.stringify(steps).matchAll(/"kind":"([a-z-]+)"/g)].map(([, kind]) => kind),
    ),
  );
  const either = Object.values(recordKinds).filter((kind) => isQuick(kind, kind.sample.input));
  for (const kind of [...either.map(({ kind }) => kind), ...controlKinds]) expect(used).toContain(kind);
});

function keyOf(name: string): string {
  return name.toLowerCase().replace(/[^a-z]+/g, "-");
}

/** Runs the bodies one after the other; what they left, with ids and moments told apart but not named. */
async function ledgerOf(
  { engine, pool, quickLane }: (typeof lanes)[number],
  definition: JsonObject,
  bodies: JsonObject[],
) {
  const workflow = await engine.activate(definition, { quickLane });
  const runs = [];
  for (const body of bodies) {
    const settings = { salesInbox: "sales@example.com", followUpDays: 3 };
    runs.push(await engine.finished(await engine.enqueue(workflow, body, { settings })));
  }
  while ((await relayAll({ pool, kinds: recordKinds })).events > 0);
  const { rows: events } = await pool.query(
    `select object, kind, before, after, changed_fields, actor, origin->>'depth' as depth from tandem.record_events
     where origin->>'runId' = any($1) order by id`,
    [runs.map((run) => run.id)],
  );
  for (const run of runs)
    for (const step of run.steps)
      expect(step.lane).toBe(quickLane && step.kind !== "send-email" ? "quick" : "ordinary");
  return nameless({
    runs: runs.map(({ steps, ...run }) => ({ ...run, steps: steps.map(({ lane: _lane, ...step }) => step) })),
    events,
  });
}

/** Replaces ids by the order in which they appear, hashes and moments by what they are. */
function nameless<T>(value: T): T {
  const ids = new Map<string, string>();
  const text = JSON.stringify(value)
    .replace(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, (id) => {
      if (!ids.has(id)) ids.set(id, `id ${ids.size + 1}`);
      return ids.get(id)!;
    })
    .replace(/[0-9a-f]{52}/g, "key")
    .replace(/\d{4}-\d{2}-\d{2}T[\d:.]+Z/g, "moment");
  return JSON.parse(text) as T;
}
