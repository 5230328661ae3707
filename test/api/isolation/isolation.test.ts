import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createTestWorkspace } from "../../support/engine.ts";
import { createTestKey } from "../../support/vault.ts";
import { hookDefinition, request, startGateway, type Answer, type Sent } from "../gateway.ts";
import { fingerprint } from "./fingerprint.ts";
import { allRoutes, type Route } from "./routes.ts";

const { pool } = await createTestDatabase();
const { call, url, workspaceId, install } = await startGateway(pool);

/** In every text of the first workspace: who sees it sees too much. */
const marker = "Isolated";

const make = async (path: string, body: Json): Promise<JsonObject> => {
  const answer = await call("POST", path, { body });
  if (answer.status >= 300) throw new Error(`${path} was not made: ${answer.text}`);
  return answer.body;
};
const record = async (plural: string, name: string, body: JsonObject): Promise<string> => {
  const { data } = await make(`/rest/${plural}`, body);
  return String(((data as JsonObject)[`create${name}`] as JsonObject)["id"]);
};
const idOf = (body: JsonObject): string => String(body["id"]);

const hours: JsonObject = { id: "hours", kind: "schedule", every: "1h" };
const yesterday = new Date(Date.now() - 86_400_000).toISOString();
const past = { from: yesterday, to: yesterday };

/** One of everything that a workspace can have. */
async function furnish() {
  const company = await record("companies", "Company", {
    name: marker,
    domainName: { primaryLinkUrl: "isolated.example" },
  });
  const person = await record("people", "Person", {
    name: { firstName: marker },
    emails: { primaryEmail: "isolated@isolated.example" },
    companyId: company,
  });
  const opportunity = await record("opportunities", "Opportunity", { name: marker, companyId: company });
  const task = await record("tasks", "Task", { title: marker });
  const note = await record("notes", "Note", { title: marker });
  const target = await record("taskTargets", "TaskTarget", { taskId: task, personId: person });
  const deleted = await record("companies", "Company", { name: `${marker} and deleted` });
  await call("DELETE", `/rest/companies/${deleted}?soft_delete=true`);
  const object = await make("/api/objects", {
    name: "isolatedThing",
    plural: "isolatedThings",
    label: `${marker} thing`,
    fields: [{ name: "isolatedText", label: marker, type: "TEXT" }],
  });
  const index = await make("/api/objects/company/indexes", { fields: ["name", "employees"] });
  const thing = await record("isolatedThings", "IsolatedThing", { isolatedText: marker });
  const view = await make("/api/views", { object: "company", name: "isolated", label: marker });
  const { id: workflow, hook } = await install(
    hookDefinition("isolated", {}, { name: marker, triggers: [{ id: "form", kind: "webhook" }, hours] }),
  );
  const { body: accepted } = await request(url, "POST", hook, { body: { text: marker } });
  const manual = await make("/api/workflows", {
    ...hookDefinition("isolated-launch", {}, { name: marker }),
    triggers: [{ id: "button", kind: "manual", availability: "single", object: "company" }],
  });
  await call("POST", `/api/workflows/${idOf(manual)}/activate`);
  const launched = await make(`/api/workflows/${idOf(manual)}/launch`, { launchId: marker, ids: [company] });
  const apiKey = await make("/api/api-keys", { name: marker });
  const secret = await make("/api/secrets", { name: "ISOLATED", value: `${marker} value` });
  const connection = await make("/api/connections", {
    key: "isolated",
    name: marker,
    baseUrl: "https://isolated.example",
  });
  const imported = await make("/api/imports", { object: "company", format: "csv" });
  await call("PUT", `/api/imports/${idOf(imported)}/data`, { raw: `name,employees\n${marker},x\n` });
  const backfill = await make(`/api/workflows/${workflow}/schedules/hours/backfill`, past);
  await pool.query("insert into tandem.alerts (workflow_id, workspace_id, state, open) values ($1, $2, '{}', true)", [
    workflow,
    workspaceId,
  ]);
  const { body: asking } = await request(url, "POST", hook, { body: { text: marker } });
  const { rows: questions } = await pool.query<{ id: string }>(
    `with asking as (update tandem.runs set status = 'waiting', started_at = now() where id = $1 returning id)
     insert into tandem.questions (id, workspace_id, run_id, path, title, form)
     select gen_random_uuid(), $2, id, 'decision', $3, '{"kind":"approval"}' from asking returning id`,
    [asking["runId"], workspaceId, marker],
  );
  const { body: described } = await call("GET", "/api/objects/company");
  const fields = (object["fields"] as JsonObject[]).flatMap((field) => (field["id"] === null ? [] : [idOf(field)]));
  return {
    company,
    person,
    task,
    workflow,
    records: [company, person, opportunity, task, note, target, deleted, thing],
    objects: [idOf(object), idOf(described)],
    fields: [...fields, ...(described["fields"] as JsonObject[]).flatMap((f) => (f["id"] === null ? [] : [idOf(f)]))],
    index: idOf(index),
    others: [
      idOf(view),
      workflow,
      String(accepted["runId"]),
      String(accepted["deliveryId"]),
      questions[0]!.id,
      idOf(launched),
      idOf(apiKey),
      idOf(secret),
      idOf(connection),
      idOf(imported),
      idOf(backfill),
      workspaceId,
    ],
  };
}

const mine = await furnish();
const everyId = [...mine.records, ...mine.objects, ...mine.fields.slice(0, 3), mine.index, ...mine.others];

const { workspace: other } = await createTestWorkspace(pool);
const { key } = await createTestKey(pool, { workspaceId: other.id, name: "Stranger" });
await request(url, "POST", "/rest/companies", { key, body: { name: "Of the stranger" } });

/** What stands in a path; what is not named here is every id of the first workspace. */
const values: Readonly<Record<string, readonly string[]>> = {
  plural: ["companies", "people", "tasks", "isolatedThings"],
  object: ["isolatedThing", "isolatedThings", ...mine.objects],
  field: ["isolatedText", ...mine.fields.slice(0, 3)],
  index: [mine.index],
  trigger: ["form", "hours"],
  path: ["found"],
};
const foreign = new Set([...everyId, "isolatedThing", "isolatedThings", "isolatedText"]);

const company = { name: "A company", accountOwnerId: mine.person };
const person = { name: { firstName: "A" }, companyId: mine.company };
/**
 * What is sent where a body is taken: as it would be right for the first workspace, with ids of its
 * records. Such a route must be named here, so that it is tried with a body that is looked at.
 */
const bodies: Readonly<Record<string, Json>> = {
  "POST /api/workflows": hookDefinition("of-the-stranger"),
  "PUT /api/workflows/{id}/draft": hookDefinition("isolated"),
  "PUT /api/workflows/{id}/settings": {},
  "POST /api/workflows/{id}/activate": {},
  "POST /api/workflows/{id}/deactivate": {},
  "POST /api/workflows/{id}/pause": { note: "Taken over" },
  "POST /api/workflows/{id}/resume": {},
  "POST /api/workflows/{id}/launch": { ids: [mine.company] },
  "POST /api/launches/{id}/cancel": { runs: true },
  "POST /api/runs/{id}/cancel": {},
  "POST /api/questions/{id}/answer": { answer: { approved: true } },
  "PUT /api/once/{id}": { as: "free" },
  "PUT /api/outcomes-unknown/{id}": { as: "not-done" },
  "POST /api/deliveries/{id}/replay": {},
  "POST /api/deliveries/replay": { filter: { workflowId: mine.workflow } },
  "POST /api/deliveries/replays/{id}/cancel": {},
  "POST /api/workflows/{id}/webhooks/{trigger}/rotate": { overlap: "0s" },
  "POST /api/workflows/{id}/webhooks/{trigger}/capture": {},
  "POST /api/workflows/{id}/schedules/{trigger}/pause": { note: "Taken over" },
  "POST /api/workflows/{id}/schedules/{trigger}/resume": {},
  "POST /api/workflows/{id}/schedules/{trigger}/run": {},
  "POST /api/workflows/{id}/schedules/{trigger}/backfill": past,
  "POST /api/schedules/preview": {},
  "POST /api/objects": { name: "other", plural: "others", label: "Other" },
  "PATCH /api/objects/{object}": { label: "Taken over" },
  "POST /api/objects/{object}/fields": { name: "added", label: "Added", type: "TEXT" },
  "PATCH /api/objects/{object}/fields/{field}": { label: "Taken over" },
  "POST /api/objects/{object}/indexes": { fields: ["createdAt"] },
  "POST /api/views": { object: "company", name: "isolated", label: "Of the stranger" },
  "PATCH /api/views/{id}": { label: "Taken over" },
  "POST /api/imports": { object: "company" },
  "PUT /api/imports/{id}/data": "name\nTaken over\n",
  "POST /api/imports/{id}/cancel": {},
  "PUT /api/settings": { currency: "CHF" },
  "POST /api/api-keys": { name: "Of the stranger" },
  "POST /api/secrets": { name: "ISOLATED", value: "Of the stranger" },
  "PUT /api/secrets/{id}": { value: "Of the stranger", overlap: "0s" },
  "POST /api/connections": { key: "isolated", baseUrl: "https://stranger.example" },
  "PATCH /api/connections/{id}": { name: "Taken over" },
  "POST /api/connections/{id}/test": { path: "/" },
  "POST /api/workspaces": { name: "Of the stranger" },
  "POST /rest/{plural}": person,
  "PATCH /rest/{plural}": company,
  "PUT /rest/{plural}": company,
  "PATCH /rest/{plural}/{id}": { name: "Taken over" },
  "PUT /rest/{plural}/{id}": { name: "Taken over" },
  "POST /rest/batch/{plural}": [person],
  "PATCH /rest/batch/{plural}": [{ id: mine.company, name: "Taken over" }],
  "PUT /rest/batch/{plural}": [{ id: mine.company, name: "Taken over" }],
  "POST /rest/{plural}/duplicates": { ids: [mine.company, mine.person] },
  "POST /rest/duplicates/{plural}": { ids: [mine.company, mine.person] },
  "PATCH /rest/{plural}/restore": {},
  "PATCH /rest/restore/{plural}": {},
  "PATCH /rest/{plural}/{id}/restore": {},
  "PATCH /rest/restore/{plural}/{id}": {},
  "PATCH /rest/{plural}/merge": { ids: [mine.company, mine.person], conflictPriorityIndex: 0 },
  "POST /rest/metadata/objects": {
    nameSingular: "another",
    namePlural: "anothers",
    labelSingular: "A",
    labelPlural: "As",
  },
  "PATCH /rest/metadata/objects/{id}": { labelSingular: "Taken over" },
  "PUT /rest/metadata/objects/{id}": { labelSingular: "Taken over" },
  "POST /rest/metadata/fields": { objectMetadataId: mine.objects[0]!, name: "added", label: "Added", type: "TEXT" },
  "PATCH /rest/metadata/fields/{id}": { label: "Taken over" },
  "PUT /rest/metadata/fields/{id}": { label: "Taken over" },
};

const filterMine = `filter=${encodeURIComponent(`id[in]:["${mine.company}","${mine.person}","${mine.task}"]`)}`;
/** Of routes that concern what matches: a filter that would find the first workspace's records. */
const queries: Readonly<Record<string, string>> = {
  "PATCH /rest/{plural}": filterMine,
  "PUT /rest/{plural}": filterMine,
  "DELETE /rest/{plural}": filterMine,
  "PATCH /rest/{plural}/restore": filterMine,
  "PATCH /rest/restore/{plural}": filterMine,
};

function paths(path: string): string[] {
  const [, name] = /\{(\w+)\}/.exec(path) ?? [];
  if (name === undefined) return [path];
  return (values[name] ?? everyId).flatMap((value) => paths(path.replace(`{${name}}`, value)));
}

/** Whatever stood in the paths that the stranger asked for. */
const asked = new Set<string>();

/** What an answer to somebody else's key must not be. */
function faultsOf(path: string, { status, text }: Answer): string[] {
  const isForeign = path.split("/").some((part) => foreign.has(part));
  for (const part of path.split("/")) asked.add(part);
  // The audit shows the stranger what the stranger asked for.
  const own = path.startsWith("/api/audit") ? asked : new Set<string>();
  const seen = everyId.filter((id) => status < 300 && text.includes(id) && !own.has(id));
  return [
    ...(status >= 500 ? ["is our fault"] : []),
    ...(text.includes(marker) ? [`shows a text: ${text}`] : []),
    ...(isForeign && status < 400 ? ["is done, with an id of another workspace"] : []),
    ...seen.map((id) => `shows the id ${id}`),
  ];
}

const routes = allRoutes(pool);
const nameOf = ({ method, path }: Route): string => `${method} ${path}`;

describe("with another workspace's key", () => {
  test("every route that takes a body is tried with one", () => {
    const taking = routes.filter(({ method }) => method !== "GET" && method !== "DELETE").map(nameOf);
    expect(taking.filter((name) => bodies[name] === undefined)).toEqual([]);
    expect(
      Object.keys({ ...bodies, ...queries }).filter((name) => !routes.some((route) => nameOf(route) === name)),
    ).toEqual([]);
    expect(routes.length).toBeGreaterThan(70);
  });

  test.each(routes)("$method $path shows and changes nothing", async (route) => {
    const before = await fingerprint(pool, workspaceId);
    const body = bodies[nameOf(route)];
    const sent: Sent = body === undefined ? { key } : typeof body === "string" ? { key, raw: body } : { key, body };
    const faults: string[] = [];
    for (const path of paths(route.path)) {
      const query = queries[nameOf(route)];
      const answer = await request(url, route.method, query === undefined ? path : `${path}?${query}`, sent);
      faults.push(...faultsOf(path, answer).map((fault) => `${path}: ${answer.status} ${fault}`));
    }
    expect(faults).toEqual([]);
    expect(await fingerprint(pool, workspaceId)).toEqual(before);
  });

  test("relations cannot lead to another workspace's records, nor searches find them", async () => {
    const refused = await request(url, "POST", "/rest/people", { key, body: person });
    expect(refused.body).toMatchObject({ status: 400, code: "related-record-not-found" });
    const found = await request(url, "GET", `/rest/people?filter=${encodeURIComponent("company.name[eq]:Isolated")}`, {
      key,
    });
    expect(found.body).toMatchObject({ totalCount: 0 });
  });
});

test("with its own key, everything is still there", async () => {
  for (const [plural, id] of [
    ["companies", mine.company],
    ["people", mine.person],
    ["tasks", mine.task],
  ])
    expect((await call("GET", `/rest/${plural}/${id}`)).text).toContain(marker);
});
