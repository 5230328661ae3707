import type { JsonObject } from "../../../src/json.ts";

const object = "company";
const condition = { field: "name", operator: "equals", value: "Analytical Engines" };
const leaf = { left: "{{ trigger.body.name }}", operator: "isNotEmpty" };
const id = "0197f5f0-0000-7000-8000-000000000001";
const set = { id: "inner", kind: "set", input: { x: 1 } };

/**
 * Of every kind in the registry, inputs that together have every key that it takes; of every control kind,
 * its steps without their ids.
 */
export const specimens: Readonly<Record<string, readonly JsonObject[]>> = {
  "create-record": [
    { object, values: { name: "A" }, ifExists: "update", modes: { name: "only-if-empty" } },
    { object: "task", values: { title: "Call" }, links: [{ object, id }] },
  ],
  "update-record": [
    { object, id, values: { name: "A" }, onlyIf: condition, modes: { name: "replace" } },
    { object: "task", id, values: { title: "Call" }, links: [{ object, id }] },
  ],
  "upsert-record": [
    { object, match: ["name"], values: { name: "A" }, onlyIf: condition, modes: { name: "replace" } },
    { object: "task", match: ["title"], values: { title: "Call" }, links: [{ object, id }] },
  ],
  "delete-record": [{ object, id, permanently: true }],
  "search-records": [
    {
      object,
      filter: condition,
      search: "engines",
      fields: ["name"],
      limit: 10,
      view: "All companies",
      sort: [{ field: "name", direction: "asc" }],
    },
    { object, all: true },
  ],
  "count-records": [{ object, filter: condition, search: "engines", view: "All companies" }],
  "batch-upsert-records": [
    {
      object,
      match: ["name"],
      records: [{ name: "A" }],
      values: { employees: 1 },
      onlyIf: condition,
      modes: { name: "replace" },
    },
  ],
  "batch-update-records": [
    { object, records: [{ id }], values: { employees: 1 }, onlyIf: condition, modes: { employees: "replace" } },
  ],
  "pick-record": [{ object, strategy: "round-robin", filter: condition }],
  "send-email": [
    {
      to: ["ada@example.com"],
      cc: ["ben@example.com"],
      bcc: ["cy@example.com"],
      from: "crm@example.org",
      replyTo: ["sales@example.org"],
      subject: "Hello",
      text: "Hi.",
      html: "<p>Hi.</p>",
      oneEach: true,
      attachments: [{ name: "a.txt", type: "text/plain", text: "Hi." }],
    },
    { to: ["ada@example.com"], subject: "Hello", markdown: "*Hi*" },
  ],
  "http-request": [
    {
      connection: "billing",
      path: "/invoices",
      method: "POST",
      query: { page: 1 },
      headers: { "x-a": "b" },
      body: { total: 1 },
      success: [200, "2xx"],
      repeatable: true,
      maximumBytes: 2_048,
      gives: { type: "object" },
    },
    {
      connection: "billing",
      path: "/invoices",
      pagination: { kind: "cursor", next: "next", parameter: "after", in: "query", items: "data", maximumPages: 3 },
    },
    { url: "https://api.example.com/x", method: "POST", form: { a: "b" } },
    { url: "https://api.example.com/x", method: "PUT", text: "a" },
    {
      url: "https://api.example.com/x",
      method: "POST",
      multipart: [{ name: "a", text: "b", contentType: "text/plain" }],
    },
  ],
  code: [
    {
      data: { a: 1 },
      source: "export default (input) => input.a;",
      gives: { type: "number" },
      limits: { timeMs: 1_000, memoryMiB: 32 },
    },
  ],
  wait: [{ for: "1h", timeZone: "Europe/Berlin" }, { until: "2030-01-01T09:00" }],
  ask: [
    {
      title: "Sure?",
      text: "Say so.",
      assignee: ["ada@example.com"],
      deadline: "2d",
      timeZone: "Europe/Berlin",
      notify: true,
      remindEvery: "1h",
      fields: { sum: { type: "number", label: "Sum", required: true } },
    },
    { title: "Sure?", schema: { type: "object" } },
  ],
  "run-workflow": [{ workflow: "credit-check", inputs: { name: "A" }, wait: false }],
  stop: [{ as: "failed", message: "Enough." }],
  respond: [
    { status: 201, headers: { "x-a": "b" }, body: { a: 1 } },
    { status: 200, html: "<p>Thanks.</p>" },
  ],
  branch: [{ branches: [{ name: "yes", when: leaf, steps: [set], output: { x: "{{ inner.x }}" } }] }],
  filter: [{ when: leaf }],
  set: [{ input: { x: 1 }, onError: { codes: ["expression"], output: { x: null } } }],
  iterator: [
    {
      items: [1, 2],
      batch: 2,
      concurrency: 2,
      onItemError: "continue",
      steps: [set],
      onError: "continue",
      output: { x: "{{ inner.x }}" },
    },
  ],
  parallel: [{ branches: [{ name: "left", steps: [set], output: { x: "{{ inner.x }}" } }] }],
};
