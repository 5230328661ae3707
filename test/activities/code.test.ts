import { expect, test } from "vitest";
import { createCodeStep } from "../../src/activities/code.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { startGateway } from "../api/gateway.ts";
import { isBusy, livingChildren } from "../code/children.ts";
import { createTestCode } from "../code/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine, type FinishedRun } from "../support/engine.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const code = createTestCode();
const kinds = { code: createCodeStep(code) };
const engine = await startTestEngine(pool, { kinds });
const gateway = await startGateway(pool, { kinds, workspaceId: engine.workspace.id });

let made = 0;

function codeStep(source: string, rest: JsonObject = {}, step: JsonObject = {}): JsonObject {
  return { id: "reckon", kind: "code", input: { source, data: "{{ trigger.body }}", ...rest }, ...step };
}

async function start(steps: Json[], body: JsonObject = {}, rest: JsonObject = {}): Promise<string> {
  made += 1;
  return engine.enqueue(await engine.activate(definitionOf(`code-${made}`, steps, rest)), body);
}

async function run(steps: Json[], body: JsonObject = {}, rest: JsonObject = {}): Promise<FinishedRun> {
  return engine.finished(await start(steps, body, rest), 60_000);
}

async function refusals(step: JsonObject): Promise<string[]> {
  made += 1;
  const { status, body } = await gateway.call("POST", "/api/workflows", { body: definitionOf(`code-${made}`, [step]) });
  expect(status).toBe(422);
  return (body["issues"] as Array<{ path: string; message: string }>).map(({ path, message }) => `${path}: ${message}`);
}

test("what the function returns is read by later steps, and what it printed is kept with the step", async () => {
  const source = [
    "interface Line { price: number; count: number }",
    "export default async function (input: { lines: Line[] }) {",
    '  console.log("lines:", input.lines.length);',
    "  return { total: sum(input.lines.map(({ price, count }) => times(price, count))) };",
    "}",
  ].join("\n");
  const finished = await run(
    [codeStep(source), { id: "after", kind: "set", input: { doubled: "{{ reckon.total | times: 2 }}" } }],
    {
      lines: [
        { price: 0.1, count: 3 },
        { price: 1, count: 2 },
      ],
    },
    { output: { doubled: "{{ after.doubled }}" } },
  );
  expect(finished).toMatchObject({ status: "completed", output: { doubled: 4.6 } });
  expect(finished.steps[0]).toMatchObject({
    kind: "code",
    lane: "ordinary",
    output: { total: 2.3 },
    attempts: 1,
  });
  // The source stands in the version.
  expect(finished.steps[0]?.input).toEqual({ data: { lines: expect.anything() as Json } });
  const { rows } = await pool.query("select log from tandem.step_results where run_id = $1 and path = 'reckon'", [
    finished.id,
  ]);
  expect(rows).toEqual([{ log: "lines: 2\n" }]);
});

test("braces in a source are its own", async () => {
  const finished = await run([
    codeStep('export default () => {{ return { text: "{{ not.an.expression }} {% if %}" }; }};'),
  ]);
  expect(finished.steps[0]?.output).toEqual({ text: "{{ not.an.expression }} {% if %}" });
});

test("a source that cannot be read is refused before it is saved, with its place", async () => {
  expect(await refusals(codeStep("export default function (input) {\n  return input.;\n}"))).toEqual([
    "steps[0].input.source: line 2, column 16: Expected ident",
  ]);
  expect(await refusals(codeStep("enum Color { Red }\nexport default () => Color.Red;"))).toEqual([
    'steps[0].input.source: line 1, column 1: an enum is more than a type; write an object instead: const Color = { red: "red" }',
  ]);
  expect(await refusals(codeStep("const x = 1;\nlet x = 2;\nexport default () => x;"))).toEqual([
    "steps[0].input.source: line 2, column 7: invalid redefinition of global identifier",
  ]);
  expect(await refusals(codeStep('import fs from "node:fs";\nexport default () => fs;'))).toEqual([
    "steps[0].input.source: line 1, column 16: code imports nothing: what it may use is there as globals (docs/code.md)",
  ]);
  expect(await refusals(codeStep("export const total = 1;"))).toEqual([
    "steps[0].input.source: it exports no function: write export default function (input) { … }",
  ]);
});

test("limits past the installation's, and a declaration that is none, are refused", async () => {
  const source = "export default () => 1;";
  expect(await refusals(codeStep(source, { limits: { timeMs: 60_000 } }))).toEqual([
    "steps[0].input.limits.timeMs: at most 30000 here, as CODE_MAX_TIME_MS says",
  ]);
  expect(await refusals(codeStep(source, { limits: { memoryMiB: 512 } }))).toEqual([
    "steps[0].input.limits.memoryMiB: at most 256 here, as CODE_MAX_MEMORY_MIB says",
  ]);
  expect(await refusals(codeStep(source, { gives: { type: "number", minimun: 1 } }))).toEqual([
    'steps[0].input.gives: is no JSON Schema: strict mode: unknown keyword: "minimun"',
  ]);
});

test("an error of the code names line and column of the source as it was written, and is not tried again", async () => {
  const source =
    "type Input = { order?: { id: string } };\nexport default function (input: Input) {\n  console.log('before');\n  return input.order!.id;\n}";
  const finished = await run([codeStep(source)]);
  expect(finished).toMatchObject({ status: "failed", error: { code: "code-failed" } });
  expect(finished.steps[0]).toMatchObject({
    attempts: 1,
    error: {
      code: "code-failed",
      message: "The code failed at line 4, column 22: TypeError: cannot read property 'id' of undefined",
      line: 4,
      column: 22,
      log: "before\n",
      stack: ["at default (line 4:22)"],
    },
  });
});

test("a list that code gives is read where onError says what follows a failure, too", async () => {
  const each = { id: "each", kind: "iterator", items: "{{ reckon }}", steps: [{ id: "one", kind: "set", input: {} }] };
  const listing = codeStep("export default () => [7, 8, 9];", {}, { onError: "continue" });
  const output = { total: "{{ each.counts.total }}", second: "{{ reckon[1] | default: 0 }}", ok: "{{ reckon.ok }}" };
  const finished = await run([listing, each], {}, { output });
  expect(finished).toMatchObject({ status: "completed", output: { total: 3, second: 8, ok: true } });
});

test("an error of the code goes where onError sends it, after the tries that retry allows", async () => {
  const step = codeStep(
    'export default () => { throw new Error("not today"); };',
    {},
    {
      retry: { maximumAttempts: 3, initialInterval: "10ms" },
      onError: { steps: [], output: { said: "{{ error.message }}", code: "{{ error.code }}" } },
    },
  );
  const finished = await run([step], {}, { output: { said: "{{ reckon.said }}", code: "{{ reckon.code }}" } });
  expect(finished).toMatchObject({
    status: "completed",
    output: { said: "The code failed at line 1, column 39: not today", code: "code-failed" },
  });
  expect(finished.steps[0]).toMatchObject({ status: "failed", attempts: 3 });
});

test.each([
  [
    "code-timeout",
    "export default () => { for (;;); };",
    "The code did not finish within 300 ms. Let it do less, or raise the step's limits.timeMs.",
  ],
  [
    "code-memory",
    "export default () => new ArrayBuffer(2 ** 28);",
    "The code needed more than 16 MiB. Let it keep less at a time, or raise the step's limits.memoryMiB.",
  ],
  [
    "code-result",
    "export default () => ({ rows: [1, { price: 0 / 0 }] });",
    "result.rows[1].price is NaN, which JSON cannot hold.",
  ],
  [
    "code-failed",
    "export default () => new Promise(() => {});",
    "The code waits for a promise that nothing will settle: there are no timers and no network. Return a value, or a promise of something that is there.",
  ],
])("ends as %s", async (expected, source, message) => {
  const finished = await run([codeStep(source, { limits: { timeMs: 300, memoryMiB: 16 } })]);
  expect(finished.steps[0]?.error).toMatchObject({ code: expected, message });
});

test("a result that is not what gives declares is an error; one that is comes as it is declared", async () => {
  const gives = {
    type: "object",
    properties: { id: { type: "string" } },
    required: ["id"],
    additionalProperties: false,
  };
  expect((await run([codeStep("export default (input) => input;", { gives })], { id: 7 })).steps[0]).toMatchObject({
    output: { id: "7" },
  });
  expect(
    (await run([codeStep("export default (input) => input;", { gives })], { name: "x" })).steps[0]?.error,
  ).toMatchObject({
    code: "code-result",
    message: 'The result is not what "gives" declares: result.id is required; result.name is not declared.',
  });
});

test("data past eight mebibytes is refused", async () => {
  const long = codeStep('export default () => ({ text: "x".repeat(6e6) });', {}, { id: "long" });
  const both = {
    id: "both",
    kind: "code",
    input: { source: "export default () => 1;", data: ["{{ long.text }}", "{{ long.text }}"] },
  };
  expect((await run([long, both])).steps[1]?.error).toMatchObject({ code: "code-data" });
});

test("a run that is cancelled ends its endless code, and leaves no process at work", async () => {
  const runId = await start([codeStep("export default () => { for (;;); };", { limits: { timeMs: 30_000 } })]);
  const working = await until("code at work", () => livingChildren().find((pid) => isBusy(pid)));
  const begun = Date.now();
  await gateway.call("POST", `/api/runs/${runId}/cancel`);
  engine.ring();
  expect(await engine.finished(runId)).toMatchObject({ status: "cancelled" });
  expect(Date.now() - begun).toBeLessThan(10_000);
  await until("its process is gone", () => !livingChildren().includes(working));
});

test("a process that something else ended is replaced, and its code is done again without counting it", async () => {
  const runId = await start([
    codeStep("export default () => { const end = Date.now() + 1500; while (Date.now() < end); return 1; };"),
  ]);
  process.kill(await until("code at work", () => livingChildren().find((pid) => isBusy(pid))), "SIGKILL");
  expect(await engine.finished(runId)).toMatchObject({ status: "completed", steps: [{ output: 1, attempts: 1 }] });
});

test("other steps go on while hostile code runs", async () => {
  const bomb = await engine.activate(
    definitionOf("bombs", [codeStep("export default () => { for (;;); };", { limits: { timeMs: 2_000 } })]),
  );
  const quick = await engine.activate(definitionOf("others", [{ id: "one", kind: "set", input: { a: 1 } }]));
  const bombs = await Promise.all(Array.from({ length: 8 }, () => engine.enqueue(bomb, {})));
  await until("code at work", () => livingChildren().some((pid) => isBusy(pid)));
  const others = await Promise.all(Array.from({ length: 20 }, () => engine.enqueue(quick, {})));
  for (const id of others) expect((await engine.finished(id)).status).toBe("completed");
  const { rows } = await pool.query<{ open: number }>(
    "select count(*)::int as open from tandem.runs where id = any($1) and ended_at is null",
    [bombs],
  );
  expect(rows[0]?.open).toBeGreaterThan(0);
  for (const id of bombs) expect((await engine.finished(id, 60_000)).error).toMatchObject({ code: "code-timeout" });
});

test("what other steps read of a declared result is checked before activation", async () => {
  const gives = { type: "object", properties: { total: { type: "number" } }, required: ["total"] };
  const reckon = codeStep("export default () => ({ total: 1 });", { gives });
  const reading = (path: string): JsonObject => ({ id: "after", kind: "set", input: { a: `{{ reckon.${path} }}` } });
  expect((await run([reckon, reading("total")])).status).toBe("completed");
  made += 1;
  const { body } = await gateway.call("POST", "/api/workflows", {
    body: definitionOf(`code-${made}`, [reckon, reading("totl")]),
  });
  expect(body["issues"]).toEqual([
    { path: "steps[1].input.a", message: '"reckon" gives no "totl"; did you mean "total"?' },
  ]);
});
