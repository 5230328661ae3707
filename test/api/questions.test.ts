import { beforeEach, describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../src/json.ts";
import { sendNextQuestion } from "../../src/runs/questions/mails.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, recordKinds, startTestEngine } from "../support/engine.ts";
import { refusal, startTestSmtp } from "../support/smtp.ts";
import { until } from "../support/until.ts";
import { transportTo } from "../activities/mail-step.ts";
import { controlKinds, createLooks } from "../worker/waits/support.ts";
import { request, startGateway } from "./gateway.ts";

const { pool } = await createTestDatabase();
await pool.query("insert into tandem.installation (id) values ('question') on conflict do nothing");
const engine = await startTestEngine(pool, { kinds: controlKinds });
const kinds = { ...recordKinds, ...controlKinds };
const { call, url, strangerKey } = await startGateway(pool, { kinds, workspaceId: engine.workspace.id });
const { waiting, pass, statusOf } = createLooks(pool, engine);
const smtp = await startTestSmtp();
const parts = { pool, mail: transportTo(smtp.port), publicUrl: "https://crm.example" };

beforeEach(() => {
  smtp.mails.length = 0;
  smtp.behaviour = {};
});

let count = 0;
/** Starts a run that asks; gives it with its question, when it waits. */
async function asked(input: JsonObject, body: JsonObject = {}): Promise<{ runId: string; question: JsonObject }> {
  count += 1;
  const steps: Json[] = [
    { id: "decision", kind: "ask", input: { title: "Is it all right?", ...input } },
    { id: "after", kind: "set", input: { decision: "{{ decision }}" } },
  ];
  const runId = await engine.enqueue(await engine.activate(definitionOf(`asks-${count}`, steps)), body);
  await waiting(runId);
  const { body: list } = await call("GET", `/api/questions?runId=${runId}`);
  const [question] = list["data"] as JsonObject[];
  return { runId, question: question! };
}

const answerTo = (question: JsonObject, answer: Json, key?: string) =>
  call("POST", `/api/questions/${String(question["id"])}/answer`, {
    body: { answer },
    ...(key === undefined ? {} : { key }),
  });

describe("a question", () => {
  test("keeps its run waiting, without a slot, until it is answered", async () => {
    const { runId, question } = await asked(
      { title: "Approve {{ trigger.body.amount }} EUR?", text: "For Ada.", assignee: ["boss@example.com", null] },
      { amount: 500 },
    );
    expect(question).toMatchObject({
      runId,
      state: "open",
      path: "decision",
      title: "Approve 500 EUR?",
      details: "For Ada.",
      assignees: ["boss@example.com"],
      form: { kind: "approval" },
      deadline: null,
      answer: null,
    });
    const { body: shown } = await call("GET", `/api/runs/${runId}`);
    expect(shown).toMatchObject({
      status: "waiting",
      waits: [{ path: "decision", kind: "question", until: null, questionId: question["id"], calledRunId: null }],
    });
    const before = await call("GET", `/api/questions/${String(question["id"])}/answer`);
    expect([before.status, before.body["code"]]).toEqual([404, "not-answered"]);
    const answered = await answerTo(question, { approved: true, comment: "Fine" });
    expect([answered.status, answered.body["state"]]).toEqual([200, "answered"]);
    const run = await engine.finished(runId);
    expect(run.steps[0]).toMatchObject({
      status: "done",
      outcome: "answered",
      attempts: 1,
      output: {
        answer: { approved: true, comment: "Fine" },
        answeredBy: { kind: "api-key", name: "Tester" },
        timedOut: false,
      },
    });
    expect((await call("GET", `/api/questions/${String(question["id"])}/answer`)).body).toMatchObject({
      answer: { approved: true, comment: "Fine" },
    });
    expect((await call("GET", `/api/questions?runId=${runId}`)).body["data"]).toEqual([]);
  });

  test("is answered once: of many at the same time one wins, and the others are told", async () => {
    const { runId, question } = await asked({});
    const tries = await Promise.all(
      Array.from({ length: 10 }, (_, i) => answerTo(question, { approved: i % 2 === 0, comment: String(i) })),
    );
    const won = tries.filter(({ status }) => status === 200);
    expect(won).toHaveLength(1);
    expect(tries.filter(({ body }) => body["code"] === "question-answered")).toHaveLength(9);
    const run = await engine.finished(runId);
    expect((run.steps[0]!.output as JsonObject)["answer"]).toEqual(won[0]!.body["answer"]);
  });

  test("takes fields of the types that it names, and says which do not fit", async () => {
    const fields = {
      amount: { type: "number", label: "Amount", required: true },
      tier: { type: "select", options: ["gold", "silver"] },
      until: { type: "date" },
    };
    const { runId, question } = await asked({ fields });
    const wrong = await answerTo(question, { amount: "many", tier: "gould", when: "2026-01-01" });
    expect([wrong.status, wrong.body["code"]]).toEqual([422, "invalid-answer"]);
    const places = new Map((wrong.body["issues"] as JsonObject[]).map(({ path, message }) => [path, message]));
    expect(places.get("answer.when")).toContain('there is no input "when"');
    expect(places.get("answer.amount")).toContain("takes a number");
    expect(places.get("answer.tier")).toContain('did you mean "gold"?');
    expect((await answerTo(question, { amount: 3, tier: "gold" })).status).toBe(200);
    const run = await engine.finished(runId);
    expect(run.steps[0]!.output).toMatchObject({ answer: { amount: 3, tier: "gold", until: null } });
  });

  test("takes what a JSON Schema describes", async () => {
    const schema = { type: "object", required: ["lines"], properties: { lines: { type: "array", minItems: 1 } } };
    const { runId, question } = await asked({ schema });
    expect((await answerTo(question, { lines: [] })).body["issues"]).toMatchObject([{ path: "answer.lines" }]);
    expect((await answerTo(question, { lines: [{ sku: 1 }] })).status).toBe(200);
    expect((await engine.finished(runId)).steps[0]!.output).toMatchObject({ answer: { lines: [{ sku: 1 }] } });
  });

  test("ends by its deadline, after which nobody answers it", async () => {
    const { runId, question } = await asked({ deadline: "2d" });
    expect(Date.parse(String(question["deadline"])) - Date.now()).toBeGreaterThan(40 * 3_600_000);
    await pool.query("update tandem.questions set deadline = now() where run_id = $1", [runId]);
    const late = await answerTo(question, { approved: true });
    expect([late.status, late.body["code"]]).toEqual([409, "question-closed"]);
    await pass(runId);
    const run = await engine.finished(runId);
    expect(run.steps[0]).toMatchObject({
      status: "done",
      outcome: "timed out",
      output: { answer: null, answeredBy: null, timedOut: true },
    });
  });

  test("of a run that is cancelled is closed, within three seconds", async () => {
    const { runId, question } = await asked({});
    await call("POST", `/api/runs/${runId}/cancel`);
    engine.ring();
    expect((await answerTo(question, { approved: true })).body["code"]).toBe("question-closed");
    expect(await engine.finished(runId, 3_000)).toMatchObject({ status: "cancelled" });
    expect((await call("GET", `/api/questions/${String(question["id"])}`)).body["state"]).toBe("closed");
  });

  test("may be answered while no worker is there: the run goes on when one is", async () => {
    const { runId, question } = await asked({});
    await engine.halt();
    expect((await answerTo(question, { approved: false })).status).toBe(200);
    expect(await statusOf(runId)).toBe("waiting");
    await engine.resume();
    expect((await engine.finished(runId)).steps[0]!.output).toMatchObject({ answer: { approved: false } });
  });

  test("is another workspace's to see neither nor to answer", async () => {
    const { runId, question } = await asked({});
    const key = await strangerKey();
    expect((await call("GET", "/api/questions", { key })).body["data"]).toEqual([]);
    expect((await answerTo(question, { approved: true }, key)).status).toBe(404);
    await answerTo(question, { approved: true });
    await engine.finished(runId);
  });

  test("asks who is named, and lists what each is asked", async () => {
    const { runId, question } = await asked({ assignee: "Ada Bar <ada@example.com>" });
    expect(question["assignees"]).toEqual(["ada@example.com"]);
    const mine = await call("GET", "/api/questions?assignee=ADA@example.com");
    expect((mine.body["data"] as JsonObject[]).map(({ runId: of }) => of)).toContain(runId);
    expect((await call("GET", "/api/questions?assignee=bob@example.com")).body["data"]).toEqual([]);
    await answerTo(question, { approved: true });
    await engine.finished(runId);
  });

  test("in a loop that asks several at once is one question for each item", async () => {
    const steps: Json[] = [
      {
        id: "each",
        kind: "iterator",
        items: ["Ada", "Bob", "Eve"],
        concurrency: 3,
        steps: [{ id: "ok", kind: "ask", input: { title: "Is {{ each.item }} all right?" } }],
        output: { approved: "{{ ok.answer.approved }}" },
      },
      { id: "after", kind: "set", input: { results: "{{ each.results }}" } },
    ];
    const runId = await engine.enqueue(await engine.activate(definitionOf("asks-each", steps)), {});
    const list = async () =>
      (await call("GET", `/api/questions?runId=${runId}`)).body["data"] as Array<{ id: string; title: string }>;
    await until("three questions", async () => (await list()).length === 3);
    for (const { id, title } of await list())
      expect((await answerTo({ id }, { approved: title !== "Is Bob all right?" })).status).toBe(200);
    const run = await engine.finished(runId);
    expect(run.steps.find(({ path }) => path === "after")?.output).toEqual({
      results: [{ approved: true }, { approved: false }, { approved: true }],
    });
  });
});

/** The texts of the mails that came, by recipient. */
const mailsTo = (address: string): string[] =>
  smtp.mails
    .filter(({ to }) => to.includes(address))
    .map(({ raw }) => raw.replaceAll("=\r\n", "").replaceAll("=3D", "="));
const linkIn = (raw: string): string => /https:\/\/crm\.example(\/questions\/\S+)/.exec(raw)![1]!;
const formOf = (fields: Record<string, string>) => ({ raw: new URLSearchParams(fields) });

describe("a mail about a question", () => {
  test("goes to each assignee with a link of their own, by which it is answered in their name", async () => {
    const { runId } = await asked({ assignee: ["ada@example.com", "bob@example.com"], deadline: "3d" });
    expect(await sendNextQuestion(parts)).toBe(true);
    expect(await sendNextQuestion(parts)).toBe(false);
    const [[ada], [bob]] = [mailsTo("ada@example.com"), mailsTo("bob@example.com")];
    expect(ada).toContain("Subject: Is it all right?");
    expect(linkIn(ada!)).not.toBe(linkIn(bob!));
    const page = await request(url, "GET", linkIn(bob!));
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.text).toContain("<h1>Is it all right?</h1>");
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    // To look answers nothing, however often.
    expect(await statusOf(runId)).toBe("waiting");
    const done = await request(url, "POST", linkIn(bob!), formOf({ decision: "reject", comment: "" }));
    expect(done.text).toContain("It is answered by bob@example.com");
    expect((await request(url, "POST", linkIn(ada!), formOf({ decision: "approve" }))).status).toBe(409);
    expect((await engine.finished(runId)).steps[0]!.output).toEqual({
      answer: { approved: false, comment: null },
      answeredBy: { kind: "link", name: "bob@example.com" },
      timedOut: false,
    });
  });

  test("has a form of the fields that are asked for, which says what does not fit", async () => {
    const fields = { amount: { type: "number", required: true, label: "<b>Amount</b>" }, sure: { type: "boolean" } };
    const { runId } = await asked({ assignee: "ada@example.com", fields });
    await sendNextQuestion(parts);
    const link = linkIn(mailsTo("ada@example.com")[0]!);
    const page = await request(url, "GET", link);
    expect(page.text).toContain("&lt;b&gt;Amount&lt;/b&gt; *");
    expect(page.text).toContain('<input type="number" step="any" id="amount" name="amount" required>');
    const wrong = await request(url, "POST", link, formOf({ amount: "" }));
    expect(wrong.status).toBe(422);
    expect(wrong.text).toContain("is required");
    expect((await request(url, "POST", link, formOf({ amount: "12.5", sure: "true" }))).status).toBe(200);
    expect((await engine.finished(runId)).steps[0]!.output).toMatchObject({ answer: { amount: 12.5, sure: true } });
  });

  test("comes again until the question is answered, and no longer", async () => {
    const { runId, question } = await asked({ assignee: "ada@example.com", remindEvery: "1d" });
    const due = () => pool.query("update tandem.questions set mail_due_at = now() where run_id = $1", [runId]);
    await sendNextQuestion(parts);
    expect(await sendNextQuestion(parts)).toBe(false);
    await due();
    await sendNextQuestion(parts);
    const mails = mailsTo("ada@example.com");
    expect(mails.map((raw) => /Message-ID: (\S+)/.exec(raw)![1])).toEqual([
      `<question.${String(question["id"])}.1.1@example.org>`,
      `<question.${String(question["id"])}.2.1@example.org>`,
    ]);
    expect(mails[1]).toContain("Subject: Reminder: Is it all right?");
    await answerTo(question, { approved: true });
    await due();
    expect(await sendNextQuestion(parts)).toBe(false);
    await engine.finished(runId);
  });

  test("that the server puts off goes out later, to those whom it has not reached", async () => {
    const { runId, question } = await asked({ assignee: ["ada@example.com", "bob@example.com"] });
    smtp.behaviour = {
      recipient(address) {
        if (address === "bob@example.com") throw refusal(450, "Come back later");
      },
    };
    await sendNextQuestion(parts);
    smtp.behaviour = {};
    await pool.query("update tandem.questions set mail_due_at = now() where run_id = $1", [runId]);
    await sendNextQuestion(parts);
    expect([mailsTo("ada@example.com").length, mailsTo("bob@example.com").length]).toEqual([1, 1]);
    await answerTo(question, { approved: true });
    await engine.finished(runId);
  });

  test("whose link was changed by a character leads nowhere", async () => {
    const { runId, question } = await asked({ assignee: "ada@example.com" });
    await sendNextQuestion(parts);
    const link = linkIn(mailsTo("ada@example.com")[0]!);
    const changed = link.slice(0, -1) + (link.endsWith("A") ? "B" : "A");
    for (const path of [changed, "/questions/x", link.replace(/\.0\./, ".1.")])
      expect((await request(url, "POST", path, formOf({ decision: "approve" }))).status).toBe(404);
    expect(await statusOf(runId)).toBe("waiting");
    await answerTo(question, { approved: true });
    await engine.finished(runId);
  });

  test("is not sent where the step says so", async () => {
    const { runId, question } = await asked({ assignee: "ada@example.com", notify: false });
    expect(await sendNextQuestion(parts)).toBe(false);
    await answerTo(question, { approved: true });
    await engine.finished(runId);
  });
});

test.each([
  [{ fields: { tier: { type: "select" } } }, "steps[0].input.fields.tier.options", "belong to a select"],
  [{ schema: { type: "nothing" } }, "steps[0].input.schema", "type"],
  [{ deadline: "soon" }, "steps[0].input.deadline", "a deadline is a duration or a moment"],
  [{ assignee: "nobody" }, "steps[0].input.assignee", "e-mail"],
  [{ fields: {}, schema: {} }, "steps[0].input", "write one of them"],
])("a version that asks wrongly is refused with the place: %j", async (input, path, message) => {
  const refused = await call("POST", "/api/workflows", {
    body: definitionOf("asks-wrongly", [{ id: "decision", kind: "ask", input: { title: "Well?", ...input } }]),
  });
  expect(refused.status).toBe(422);
  expect(refused.body["issues"]).toContainEqual({
    path: expect.stringContaining(path),
    message: expect.stringContaining(message),
  });
});
