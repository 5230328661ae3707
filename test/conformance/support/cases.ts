import { expect } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import type { FinishedRun } from "../../support/engine.ts";
import { answeredTitle, makes, type World } from "./world.ts";

/** A step of a kind at work, in a world where its effect can be counted. */
export interface Case {
  readonly kind: string;
  /** The step is the one with the id `it`. */
  readonly steps: JsonObject[];
  /** What the runs' trigger says beside `name`, which no other run has; made here is what the step acts on. */
  prepare?(name: string): Promise<JsonObject>;
  /** How often the world shows that it was done: told by the run's name and id. */
  effects(name: string, runId: string): Promise<number>;
  /** How often it is to be. */
  readonly times: number;
  /** Its target does not tell repetitions apart: it may end as `outcome-unknown`, and is never done twice. */
  readonly unsure?: true;
  /** Its run ends otherwise than as completed. */
  readonly ends?: "failed";
  /** What all its runs of one lane together must show. */
  afterwards?(runs: readonly FinishedRun[]): void;
  /** A list in its output is kept as pages. */
  readonly paged?: true;
  /** Other steps are at work beside: what the run leaves changes while one of them stands still. */
  readonly beside?: true;
  /** It makes many statements: of its kind others are done under `once`. */
  readonly long?: true;
  /** Activities that come in runs of all kinds, and undergo ordeals in those of this one. */
  readonly own?: ReadonlyArray<(typeof common)[number]>;
}

/** Activities that do the same whatever the kinds of a run's steps. */
export const common = ["closeRun", "readWait"] as const;

const name = "{{ trigger.body.name }}";
const isCompany = { field: "name", operator: "equals", value: name };
const it = (kind: string, input: JsonObject, rest: JsonObject = {}): JsonObject => ({ id: "it", kind, input, ...rest });

/** Every kind of the registry and every control kind, some in several ways. */
export function createCases(world: World): Record<string, Case> {
  return { ...recordCases(world), ...outsideCases(world), ...controlCases(world), ...blockCases(world) };
}

function recordCases({ company, companies, changes }: World): Record<string, Case> {
  const change = (_name: string, runId: string): Promise<number> => changes(runId);
  const prepare = async (named: string): Promise<JsonObject> => ({ id: await company(named) });
  const many = async (named: string): Promise<JsonObject> => ({
    records: [await company(`${named} 1`), await company(`${named} 2`)].map((id) => ({ id, employees: 7 })),
  });
  const id = "{{ trigger.body.id }}";
  const object = "company";
  const rows = (count: number) => async (named: string) => ({
    records: Array.from({ length: count }, (_, i) => ({ name: `${named} ${i}` })),
  });
  const upserted = it("batch-upsert-records", { object, records: "{{ trigger.body.records }}" });
  const found = { kind: "search-records", prepare, effects: change, times: 0 };
  return {
    "create-record": {
      kind: "create-record",
      steps: [makes("it", name)],
      effects: companies,
      times: 1,
      own: ["closeRun"],
    },
    "update-record": {
      kind: "update-record",
      prepare,
      effects: change,
      times: 1,
      steps: [it("update-record", { object, id, values: { employees: 7 } })],
    },
    "upsert-record": {
      kind: "upsert-record",
      effects: companies,
      times: 1,
      steps: [it("upsert-record", { object, match: ["name"], values: { name, employees: 7 } })],
    },
    "delete-record": {
      kind: "delete-record",
      prepare,
      effects: change,
      times: 1,
      steps: [it("delete-record", { object, id })],
    },
    "search-records": { ...found, steps: [it("search-records", { object, filter: isCompany })] },
    "search-records of all": {
      ...found,
      long: true,
      steps: [it("search-records", { object, filter: isCompany, all: true })],
    },
    "count-records": {
      kind: "count-records",
      prepare,
      effects: change,
      times: 0,
      steps: [it("count-records", { object, filter: isCompany })],
    },
    // Nothing to match by: what is written twice is there twice.
    "batch-upsert-records": {
      kind: "batch-upsert-records",
      steps: [upserted],
      prepare: rows(3),
      effects: companies,
      times: 3,
    },
    "batch-upsert-records in parts": {
      kind: "batch-upsert-records",
      steps: [upserted],
      prepare: rows(201),
      effects: companies,
      times: 201,
      long: true,
      paged: true,
    },
    "batch-update-records": {
      kind: "batch-update-records",
      prepare: many,
      effects: change,
      times: 2,
      long: true,
      steps: [it("batch-update-records", { object, records: "{{ trigger.body.records }}" })],
    },
    "pick-record": {
      kind: "pick-record",
      effects: change,
      times: 0,
      steps: [it("pick-record", { object: "workspaceMember", strategy: "round-robin" })],
      // A turn without a result would have left somebody out.
      afterwards(runs) {
        const turns = new Map<Json, number>();
        for (const { steps } of runs) {
          const { id = null } = (steps[0]?.output ?? {}) as { id?: Json };
          turns.set(id, (turns.get(id) ?? 0) + 1);
        }
        expect(Math.max(...turns.values()) - Math.min(...turns.values())).toBeLessThanOrEqual(1);
      },
    },
  };
}

function outsideCases({ pool, service, changes }: World): Record<string, Case> {
  const asked = (path: string) => service.received.filter((got) => got.path === path);
  const request = (input: JsonObject) => [it("http-request", input, { retry: { initialInterval: "20ms" } })];
  return {
    "send-email": {
      kind: "send-email",
      steps: [it("send-email", { to: ["sales@x.example"], subject: name, text: "Call them." })],
      // It may arrive twice, under the same Message-ID.
      async effects(named) {
        const { rows } = await pool.query<{ count: number }>(
          "select count(distinct message_id) from tandem.mailbox_messages where subject = $1",
          [named],
        );
        return rows[0]!.count;
      },
      times: 1,
    },
    "http-request, of an API that honours keys": {
      kind: "http-request",
      steps: request({ connection: "honouring", method: "POST", path: `/honoured/${name}`, body: { name } }),
      // It acts once under a key.
      effects: async (named) =>
        new Set(asked(`/honoured/${named}`).map(({ headers }) => headers["idempotency-key"])).size,
      times: 1,
    },
    "http-request, of an API that ignores keys": {
      kind: "http-request",
      steps: request({ connection: "ignoring", method: "POST", path: `/ignored/${name}`, body: { name } }),
      effects: async (named) => asked(`/ignored/${named}`).length,
      times: 1,
      unsure: true,
    },
    "http-request that reads": {
      kind: "http-request",
      steps: request({ connection: "ignoring", path: `/read/${name}` }),
      effects: async (named) => (asked(`/read/${named}`).length > 0 ? 1 : 0),
      times: 1,
      long: true,
    },
    code: {
      kind: "code",
      steps: [it("code", { data: { name }, source: "export default (input) => ({ said: input.name });" })],
      effects: async (_named, runId) => changes(runId),
      times: 0,
    },
  };
}

function controlCases({ pool, companies, changes }: World): Record<string, Case> {
  const count = async (table: string, runId: string): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(`select count(*) from tandem.${table} where run_id = $1`, [
      runId,
    ]);
    return rows[0]!.count;
  };
  return {
    wait: {
      kind: "wait",
      own: ["readWait"],
      effects: companies,
      times: 1,
      steps: [it("wait", { for: "100ms" }), makes("after", name)],
    },
    ask: {
      kind: "ask",
      steps: [it("ask", { title: `${answeredTitle} ${name}` })],
      effects: async (_named, runId) => count("questions", runId),
      times: 1,
    },
    "run-workflow": {
      kind: "run-workflow",
      effects: companies,
      times: 1,
      steps: [it("run-workflow", { workflow: "called", inputs: { name } })],
    },
    stop: {
      kind: "stop",
      own: ["closeRun"],
      ends: "failed",
      times: 0,
      steps: [it("stop", { as: "failed", message: "Enough." }), makes("never", name)],
      effects: async (_named, runId) => changes(runId),
    },
    respond: {
      kind: "respond",
      own: ["closeRun"],
      steps: [it("respond", { status: 201, body: { name } })],
      effects: async (_named, runId) => count("run_answers", runId),
      times: 1,
    },
  };
}

function blockCases({ companies }: World): Record<string, Case> {
  const effects = companies;
  const isNamed = { left: name, operator: "isNotEmpty" };
  const items = [1, 2];
  const item: Json = makes("made", `${name} {{ it.item }}`);
  return {
    branch: {
      kind: "branch",
      steps: [
        {
          id: "it",
          kind: "branch",
          branches: [
            { name: "named", when: isNamed, steps: [makes("made", name)], output: { id: "{{ made.id }}" } },
            { name: "nameless", steps: [], output: { id: null } },
          ],
        },
      ],
      effects,
      times: 1,
    },
    filter: {
      kind: "filter",
      steps: [{ id: "it", kind: "filter", when: isNamed }, makes("made", name)],
      effects,
      times: 1,
    },
    set: { kind: "set", steps: [it("set", { name }), makes("made", "{{ it.name }}")], effects, times: 1 },
    iterator: {
      kind: "iterator",
      steps: [{ id: "it", kind: "iterator", items, steps: [item] }],
      effects,
      times: 2,
    },
    "iterator, several items at once": {
      kind: "iterator",
      steps: [
        {
          id: "it",
          kind: "iterator",
          items,
          concurrency: 2,
          steps: [item],
        },
      ],
      effects,
      times: 2,
      beside: true,
    },
    parallel: {
      kind: "parallel",
      steps: [
        {
          id: "it",
          kind: "parallel",
          branches: [
            { name: "left", steps: [makes("a", `${name} a`)], output: { id: "{{ a.id }}" } },
            { name: "right", steps: [makes("b", `${name} b`)], output: { id: "{{ b.id }}" } },
          ],
        },
      ],
      effects,
      times: 2,
      beside: true,
    },
  };
}
