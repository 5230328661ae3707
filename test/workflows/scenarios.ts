import type { Json, JsonObject } from "../../src/json.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { answerQuestion } from "../../src/runs/questions/answer.ts";
import type { SqlPool } from "../../src/sql.ts";
import { definitionOf, type TestEngine } from "../support/engine.ts";
import { fails, hangs, says, type Outside } from "../support/test-kinds.ts";
import { until } from "../support/until.ts";

/** What the outside answers in the recorded runs. */
export const answers = {
  fine: [says("fine")],
  flaky: [fails("busy", true), says("at last")],
  later: [fails("busy", true), says("later")],
  broken: [fails("refused", false)],
  slow: [hangs],
};

interface Scenario {
  readonly steps: Json[];
  readonly quickLane: boolean;
  /** What happens to the run after it was enqueued; it is awaited to its end afterwards. */
  meanwhile?(world: { engine: TestEngine; pool: SqlPool; outside: Outside; runId: string }): Promise<void>;
}

const everyKind = (id: string): Json[] => [
  { id: "found", kind: "search-records", input: { object: "person", limit: 1 } },
  {
    id: "way",
    kind: "branch",
    branches: [
      {
        name: "none",
        when: { left: "{{ found.total }}", operator: "equals", right: 0 },
        steps: [{ id: "none", kind: "set", input: { x: 1 } }],
        output: { x: "{{ none.x }}" },
      },
      { name: "some", steps: [], output: { x: 2 } },
    ],
  },
  {
    id: "made",
    kind: "create-record",
    input: { object: "person", ifExists: "update", values: { emails: { primaryEmail: `${id}@histories.example` } } },
  },
  {
    id: "changed",
    kind: "update-record",
    input: { object: "person", id: "{{ made.id }}", values: { jobTitle: "CTO" } },
  },
  { id: "company", kind: "upsert-record", input: { object: "company", match: ["name"], values: { name: id } } },
  {
    id: "rep",
    kind: "pick-record",
    input: { object: "workspaceMember", strategy: "round-robin" },
    onError: { codes: ["nothing-to-pick"], output: { id: null } },
  },
  { id: "tell", kind: "send-email", input: { to: ["sales@x.example"], subject: "Lead", text: "{{ way.output.x }}" } },
  { id: "gone", kind: "delete-record", input: { object: "person", id: "{{ made.id }}" } },
  { id: "go", kind: "filter", when: { left: "{{ gone.outcome }}", operator: "equals", right: "deleted" } },
];

const isWaiting = async (pool: SqlPool, runId: string): Promise<boolean> => {
  const { rows } = await pool.query<{ status: string }>("select status from tandem.runs where id = $1", [runId]);
  return rows[0]?.status === "waiting";
};

const resume = async ({ engine, pool, runId }: { engine: TestEngine; pool: SqlPool; runId: string }): Promise<void> => {
  await until("the run to wait", () => isWaiting(pool, runId));
  await comeDue({ engine, pool, runId });
};

/** A run that does not wait yet finds its wait due when it comes to it. */
async function comeDue({ engine, pool, runId }: { engine: TestEngine; pool: SqlPool; runId: string }): Promise<void> {
  await pool.query("update tandem.waits set due_at = now() where run_id = $1", [runId]);
  await pool.query("update tandem.runs set due_at = now() where id = $1 and status = 'waiting'", [runId]);
  engine.ring();
}

const hour = { retry: { initialInterval: "1h" } };
const loop = (kind: string, names: Json, rest: JsonObject = {}): JsonObject => ({
  id: "each",
  kind: "iterator",
  items: names,
  steps: [
    { id: "odd", kind: "filter", when: { left: "{{ each.item }}", operator: "notEquals", right: "none" } },
    { id: "call", kind, input: { name: "{{ each.item }}" } },
    { id: "said", kind: "set", input: { said: "{{ call.said }}" } },
  ],
  output: { said: "{{ said.said }}" },
  ...rest,
});
const parallel = (kind: string, rest: JsonObject = {}): JsonObject => ({
  id: "both",
  kind: "parallel",
  branches: [
    { name: "left", steps: [{ id: "one", kind, input: { name: "fine" } }], output: { said: "{{ one.said }}" } },
    { name: "right", steps: [{ id: "two", kind, input: { name: "flaky" }, ...rest }] },
  ],
});
const afterLoop = { id: "after", kind: "set", input: { counts: "{{ each.counts }}" } };
const after = { id: "after", kind: "set", input: { said: "{{ call.said | default: 'nothing' }}" } };

const pause = { id: "pause", kind: "wait", input: { for: "1h" } };

/** An answer to the webhook, and an end from inside a branch. */
function respondAndStop(as: string): Json[] {
  const end = { id: "end", kind: "stop", input: { as, message: "Enough." } };
  return [
    { id: "answer", kind: "respond", input: { body: "Thanks." } },
    { id: "way", kind: "branch", branches: [{ steps: [end] }] },
    { id: "never", kind: "set", input: { x: 1 } },
  ];
}

async function answerIt({ engine, pool, runId }: { engine: TestEngine; pool: SqlPool; runId: string }): Promise<void> {
  const { id } = await until("the question", async () => {
    const { rows } = await pool.query<{ id: string }>("select id from tandem.questions where run_id = $1", [runId]);
    return rows[0];
  });
  await answerQuestion(pool, {
    workspaceId: engine.workspace.id,
    questionId: id,
    answer: { approved: true },
    answeredBy: { kind: "api-key", name: "Tester" },
  });
  engine.ring();
}

/** One of each that a run may meet: every step kind in both lanes, retry, wait, failure, handled, cancel, no steps. */
export const scenarios: Record<string, Scenario> = {
  "every-kind-quick": { steps: everyKind("quick"), quickLane: true },
  "every-kind-ordinary": { steps: everyKind("ordinary"), quickLane: false },
  "no-steps": { steps: [], quickLane: true },
  "retry-quick": { steps: [{ id: "call", kind: "ask-test", input: { name: "flaky" } }, after], quickLane: true },
  "retry-ordinary": { steps: [{ id: "call", kind: "call", input: { name: "flaky" } }, after], quickLane: true },
  "wait-quick": {
    steps: [{ id: "call", kind: "ask-test", input: { name: "later" }, ...hour }, after],
    quickLane: true,
    meanwhile: resume,
  },
  "wait-ordinary": {
    steps: [{ id: "call", kind: "call", input: { name: "later" }, ...hour }, after],
    quickLane: false,
    meanwhile: resume,
  },
  "failure-quick": { steps: [{ id: "call", kind: "ask-test", input: { name: "broken" } }], quickLane: true },
  "failure-ordinary": { steps: [{ id: "call", kind: "call", input: { name: "broken" } }], quickLane: true },
  handled: {
    steps: [
      {
        id: "call",
        kind: "call",
        input: { name: "broken" },
        onError: {
          steps: [{ id: "noted", kind: "set", input: { why: "{{ error.code }}" } }],
          output: { said: "{{ noted.why }}" },
        },
      },
      { id: "second", kind: "call", input: { name: "broken" }, onError: "continue" },
      after,
    ],
    quickLane: true,
  },
  cancel: {
    steps: [
      { id: "before", kind: "set", input: { x: 1 } },
      { id: "call", kind: "call", input: { name: "slow" } },
      after,
    ],
    quickLane: true,
    async meanwhile({ engine, pool, outside, runId }) {
      await until("the call to be made", () => (outside.asked.get("slow") ?? 0) > 0);
      await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
      engine.ring();
    },
  },
  "loop-quick": { steps: [loop("ask-test", ["fine", "flaky", "none"]), afterLoop], quickLane: true },
  "loop-ordinary": { steps: [loop("call", ["fine", "flaky", "none", "fine"]), afterLoop], quickLane: true },
  "loop-beside": {
    steps: [loop("call", ["fine", "broken", "later"], { concurrency: 3, onItemError: "continue" }), afterLoop],
    quickLane: false,
  },
  "failure-loop": { steps: [loop("call", ["fine", "broken", "fine"])], quickLane: true },
  "parallel-quick": { steps: [parallel("ask-test")], quickLane: true },
  "parallel-ordinary": { steps: [parallel("call")], quickLane: true },
  "parallel-waiting": { steps: [parallel("call", hour)], quickLane: false, meanwhile: resume },
  "control-waits": { steps: [pause, ...respondAndStop("completed")], quickLane: true, meanwhile: resume },
  "control-asks": {
    steps: [{ id: "decision", kind: "ask", input: { title: "Go on?" } }, ...respondAndStop("completed")],
    quickLane: false,
    meanwhile: answerIt,
  },
  "control-beside": {
    steps: [
      {
        id: "both",
        kind: "parallel",
        branches: [
          { name: "one", steps: [pause] },
          { name: "two", steps: [{ id: "decision", kind: "ask", input: { title: "Go on?", deadline: "1h" } }] },
        ],
      },
    ],
    quickLane: true,
    async meanwhile(world) {
      await until("the run to wait", () => isWaiting(world.pool, world.runId));
      await answerIt(world);
      await comeDue(world);
    },
  },
  "failure-stop": { steps: respondAndStop("failed"), quickLane: true },
  "cancel-waiting": {
    steps: [{ id: "call", kind: "call", input: { name: "later" }, ...hour }],
    quickLane: true,
    async meanwhile({ engine, pool, runId }) {
      await until("the run to wait", () => isWaiting(pool, runId));
      await cancelRun(pool, { workspaceId: engine.workspace.id, runId });
      engine.ring();
    },
  },
};

export function documentOf(name: string): JsonObject {
  return definitionOf(name, scenarios[name]!.steps);
}
