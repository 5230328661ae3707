import { afterAll, describe, expect, test } from "vitest";
import { createStepKinds } from "../../src/activities/registry.ts";
import { listTemplates } from "../../src/catalog/templates.ts";
import { readConfig } from "../../src/config.ts";
import { createRecord } from "../../src/crm/operations.ts";
import { listRecords } from "../../src/crm/read.ts";
import type { RecordCondition } from "../../src/definition/conditions.ts";
import { createId } from "../../src/ids.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { createLog } from "../../src/log.ts";
import { createMailbox } from "../../src/mailbox/mailbox.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { addRuns } from "../../src/runs/enqueue.ts";
import { createStatement } from "../../src/sql.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";
import { createTestDatabase } from "../support/database.ts";
import { startTestEngine, type FinishedRun } from "../support/engine.ts";

const { pool } = await createTestDatabase();
const port = await chooseFreePort();
const mailbox = createMailbox({ pool, port, log: createLog("test", "error") });
await mailbox.start();
const mail = createMailTransport(readConfig({ MAILBOX_SMTP_PORT: String(port) }));
afterAll(async () => {
  mail.close();
  await mailbox.stop();
});
const tandem = await startTestEngine(pool, { kinds: createStepKinds({ mail }) });
const { workspace, objects } = tandem;
const shipped = (await listTemplates()).find(({ id }) => id === "web-form-leads");
const document = shipped?.document as JsonObject;
const { concurrency: _, ...alone } = document;

// The same workflow, and the same without its concurrency: then only the steps keep records single.
const ordered = await tandem.activate(document);
const unordered = await tandem.activate({ ...alone, key: "unordered-leads" });
const reps = await Promise.all(["one", "two"].map(makeRep));

async function makeRep(name: string): Promise<string> {
  const object = objects.find("workspaceMember");
  if (object === undefined) throw new Error("There are no workspace members.");
  const { id } = await createRecord(tandem.writer, {
    object,
    values: { userEmail: `${name}@example.com` },
    ifExists: "fail",
  });
  return id;
}

async function submit(workflow: { workflowId: string; versionId: string }, body: JsonObject): Promise<string> {
  const statement = createStatement();
  const id = createId();
  const trigger = { id: "form", kind: "webhook", body, headers: {}, query: {} };
  const settings = { salesInbox: "sales@example.com", followUpDays: 3 };
  const key = typeof body["email"] === "string" ? body["email"].toLowerCase() : "";
  const keyed = workflow === ordered ? { concurrency: { key, limit: 1, scope: "workflow" as const } } : {};
  addRuns(statement, [{ id, workspaceId: workspace.id, ...workflow, trigger, settings, ...keyed }]);
  await pool.query(statement.query("select id from run"));
  tandem.ring();
  return id;
}

async function run(
  workflow: { workflowId: string; versionId: string },
  ...bodies: JsonObject[]
): Promise<FinishedRun[]> {
  const ids = await Promise.all(bodies.map((body) => submit(workflow, body)));
  return Promise.all(ids.map((id) => tandem.finished(id, 60_000)));
}

async function find(name: string, where: RecordCondition): Promise<JsonObject[]> {
  const object = objects.find(name);
  if (object === undefined) throw new Error(`There is no object ${name}.`);
  return (await listRecords(pool, { objects, object, where, limit: 200 })).records;
}

const people = (email: string) => find("person", { field: "emails.primaryEmail", operator: "equals", value: email });
const companies = (name: string) => find("company", { field: "name", operator: "equals", value: name });
const tasks = (title: string) => find("task", { field: "title", operator: "equals", value: title });
const failures = (runs: readonly FinishedRun[]) =>
  runs.filter(({ status }) => status !== "completed").map(({ error }) => error);
const mails = async (subject: string) =>
  (
    await pool.query<{ rcpt_to: string[]; text_body: string }>(
      "select rcpt_to, text_body from tandem.mailbox_messages where subject = $1",
      [subject],
    )
  ).rows;

test("a form becomes a person, a company, a task for a sales rep and a mail", async () => {
  const body = shipped?.samples["good-full"] as JsonObject;
  const runs = await run(ordered, body);
  expect(failures(runs)).toEqual([]);
  const [person] = await people("ada@bar-sons.example");
  const [company] = await companies("Bar & Sons");
  const [task] = await tasks("Call ada@bar-sons.example");
  expect(person).toMatchObject({
    name: { firstName: "Ada", lastName: "Barnes" },
    jobTitle: "CTO",
    companyId: company?.["id"],
  });
  expect(company).toMatchObject({ domainName: { primaryLinkUrl: expect.stringContaining("bar-sons.example") } });
  expect(task).toMatchObject({ bodyV2: { markdown: expect.stringContaining("yearly plan") } });
  expect(reps).toContain(task?.["assigneeId"]);
  expect(runs[0]?.output).toEqual({ personId: person?.["id"], companyId: company?.["id"], taskId: task?.["id"] });
  const links = await find("taskTarget", { field: "taskId", operator: "equals", value: task?.["id"] as Json });
  expect(new Set(links.map(({ personId, companyId }) => personId ?? companyId))).toEqual(
    new Set([person?.["id"], company?.["id"]]),
  );
  expect(await mails("New lead: ada@bar-sons.example")).toMatchObject([
    { rcpt_to: ["sales@example.com"], text_body: expect.stringContaining("yearly plan") },
  ]);
});

test("the same form again updates the person and the company and makes another task, for the other rep", async () => {
  const form = { email: "again@again.example", company: "Again", companyDomain: "again.example", role: "CTO" };
  expect(failures(await run(ordered, form))).toEqual([]);
  expect(
    failures(await run(ordered, { ...form, email: "AGAIN@again.example", company: "Again Ltd", role: "CEO" })),
  ).toEqual([]);
  expect(await people("again@again.example")).toMatchObject([{ jobTitle: "CEO" }]);
  expect(await companies("Again")).toEqual([]);
  expect(await companies("Again Ltd")).toHaveLength(1);
  const assigned = (await tasks("Call again@again.example")).map(({ assigneeId }) => assigneeId);
  expect(assigned).toHaveLength(2);
  expect(new Set(assigned)).toEqual(new Set(reps));
});

test("fields that are blank or lacking clear nothing", async () => {
  const form = {
    email: "blank@example.com",
    firstName: "Bo",
    lastName: "Lank",
    role: "CTO",
    company: "Blank",
    companyDomain: "blank.example",
  };
  const blank = { email: "blank@example.com", firstName: " ", lastName: "", role: "", company: "", companyDomain: "" };
  expect(
    failures([
      ...(await run(ordered, form)),
      ...(await run(ordered, blank)),
      ...(await run(ordered, { email: form.email })),
    ]),
  ).toEqual([]);
  const [company] = await companies("Blank");
  expect(await people("blank@example.com")).toMatchObject([
    { name: { firstName: "Bo", lastName: "Lank" }, jobTitle: "CTO", companyId: company?.["id"] },
  ]);
});

test("a company known by its name only is the one that a domain is given for later", async () => {
  const form = { email: "later@example.com", company: "Later" };
  expect(
    failures([
      ...(await run(ordered, form)),
      ...(await run(ordered, { ...form, companyDomain: "later.example" })),
      ...(await run(ordered, form)),
    ]),
  ).toEqual([]);
  expect(await companies("Later")).toMatchObject([
    { domainName: { primaryLinkUrl: expect.stringContaining("later.example") } },
  ]);
});

test("text that looks like an expression or like HTML stays as it was typed", async () => {
  const body = shipped?.samples["edge-unusual-text"] as JsonObject;
  expect(failures(await run(ordered, body))).toEqual([]);
  expect(await people("zoe+form@example.com")).toMatchObject([
    { name: { firstName: "Zoë <b>", lastName: "O'Neil {{ settings.salesInbox }}" } },
  ]);
});

describe.each([
  ["with concurrency", ordered],
  ["without concurrency", unordered],
])("at the same moment, %s,", (title, workflow) => {
  const domain = title.replaceAll(" ", "-");

  test("fifty forms of one address make one person, one company and fifty tasks", async () => {
    const email = `same@${domain}.example`;
    const form = { email, company: `Same ${domain}`, companyDomain: `${domain}.example`, role: "CTO" };
    expect(failures(await run(workflow, ...Array.from({ length: 50 }, () => form)))).toEqual([]);
    expect(await people(email)).toHaveLength(1);
    expect(await companies(`Same ${domain}`)).toHaveLength(1);
    expect(await tasks(`Call ${email}`)).toHaveLength(50);
  });

  test.each([
    ["by domain", `many-${domain}.example`],
    ["by name only", undefined],
  ])("fifty people of one new company %s make one company", async (how, companyDomain) => {
    const company = `Many ${domain} ${how}`;
    const given = { company, ...(companyDomain === undefined ? {} : { companyDomain }) };
    const forms = Array.from({ length: 50 }, (_unused, i) => ({
      ...given,
      email: `p${i}@${how.replaceAll(" ", "-")}.${domain}.example`,
    }));
    expect(failures(await run(workflow, ...forms))).toEqual([]);
    const [one, ...others] = await companies(company);
    expect(others).toEqual([]);
    expect(await find("person", { field: "companyId", operator: "equals", value: one?.["id"] as Json })).toHaveLength(
      50,
    );
  });
});
