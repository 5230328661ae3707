import { expect, test } from "vitest";
import { listRecords } from "../../src/crm/read.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine } from "../support/engine.ts";

const { pool } = await createTestDatabase();
const engine = await startTestEngine(pool);

test("a run of no steps completes", async () => {
  const workflow = await engine.activate(definitionOf("empty", []));
  expect(await engine.finished(await engine.enqueue(workflow, {}))).toMatchObject({ status: "completed", steps: [] });
});

test("a run searches, branches, creates and hands out", async () => {
  const steps = [
    {
      id: "found",
      kind: "search-records",
      input: {
        object: "person",
        filter: { field: "emails.primaryEmail", operator: "equals", value: "{{ trigger.body.email }}" },
        limit: 1,
      },
    },
    {
      id: "person",
      kind: "branch",
      branches: [
        {
          name: "known",
          when: { left: "{{ found.total }}", operator: "greaterThan", right: 0 },
          steps: [
            {
              id: "update",
              kind: "update-record",
              input: {
                object: "person",
                id: "{{ found.first.id }}",
                values: { jobTitle: "{{ trigger.body.role | optional }}" },
              },
            },
          ],
          output: { id: "{{ update.id }}" },
        },
        {
          name: "new",
          steps: [
            {
              id: "create",
              kind: "create-record",
              input: {
                object: "person",
                ifExists: "update",
                values: {
                  emails: { primaryEmail: "{{ trigger.body.email }}" },
                  jobTitle: "{{ trigger.body.role | optional }}",
                },
              },
            },
          ],
          output: { id: "{{ create.id }}" },
        },
      ],
    },
  ];
  for (const quickLane of [true, false]) {
    const workflow = await engine.activate(
      definitionOf(quickLane ? "people-quick" : "people-ordinary", steps, {
        output: { personId: "{{ person.output.id }}" },
      }),
      { quickLane },
    );
    const email = `${quickLane ? "quick" : "ordinary"}@lanes.example`;
    const first = await engine.finished(await engine.enqueue(workflow, { email }));
    expect(first).toMatchObject({ status: "completed", error: null });
    expect(first.steps.map((step) => [step.path, step.outcome, step.lane])).toEqual([
      ["found", "0 found", quickLane ? "quick" : "ordinary"],
      ["person", "new", quickLane ? "quick" : "ordinary"],
      ["create", "created", quickLane ? "quick" : "ordinary"],
      ["person.output", null, quickLane ? "quick" : "ordinary"],
    ]);
    const again = await engine.finished(await engine.enqueue(workflow, { email: email.toUpperCase(), role: "CEO" }));
    expect(again).toMatchObject({ status: "completed", output: first.output });
    const page = await listRecords(pool, {
      objects: engine.objects,
      object: engine.objects.find("person")!,
      where: { field: "emails.primaryEmail", operator: "equals", value: email },
      limit: 5,
    });
    expect(page).toMatchObject({ total: 1, records: [{ jobTitle: "CEO" }] });
  }
});

test("an expression goes on from a record by its relations, three of them at most", async () => {
  const steps = [
    {
      id: "owner",
      kind: "create-record",
      input: {
        object: "workspaceMember",
        values: { userEmail: "owner-{{ trigger.body.lane }}@acme.example", timeZone: "Europe/Madrid" },
      },
    },
    {
      id: "company",
      kind: "create-record",
      input: { object: "company", values: { name: "Acme {{ trigger.body.lane }}", accountOwnerId: "{{ owner.id }}" } },
    },
    {
      id: "person",
      kind: "create-record",
      input: { object: "person", values: { companyId: "{{ company.id }}", city: "{{ trigger.body.lane }}" } },
    },
    {
      id: "deal",
      kind: "create-record",
      input: { object: "opportunity", values: { pointOfContactId: "{{ person.id }}" } },
    },
    {
      id: "found",
      kind: "search-records",
      input: { object: "person", filter: { field: "city", operator: "equals", value: "{{ trigger.body.lane }}" } },
    },
    {
      id: "task",
      kind: "create-record",
      input: {
        object: "task",
        values: {
          title: "{{ deal.record.pointOfContact.company.accountOwner.timeZone }} {{ found.first.company.name }}",
          status: "{{ deal.record.company.name | default: 'DONE' }}",
        },
      },
    },
  ];
  for (const quickLane of [true, false]) {
    const lane = quickLane ? "quick" : "ordinary";
    const output = { title: "{{ task.record.title }}", owner: "{{ found.records[0].company.accountOwner.userEmail }}" };
    const workflow = await engine.activate(definitionOf(`relations-${lane}`, steps, { output }), { quickLane });
    expect(await engine.finished(await engine.enqueue(workflow, { lane }))).toMatchObject({
      status: "completed",
      output: { title: `Europe/Madrid Acme ${lane}`, owner: `owner-${lane}@acme.example` },
    });
  }
});
