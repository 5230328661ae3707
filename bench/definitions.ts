/** What is measured. Each makes its own records, so that they can be counted afterwards. */
const trigger = { id: "post", kind: "webhook" };

/** No steps: dispatcher, one workflow, one closing activity. */
export const floor = { formatVersion: 1, key: "bench-floor", name: "Floor", triggers: [trigger], steps: [] };

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
    id: "company",
    kind: "create-record",
    input: { object: "company", values: { name: "{{ trigger.body.company }}" } },
  },
  {
    id: "person",
    kind: "create-record",
    input: {
      object: "person",
      values: { emails: { primaryEmail: "{{ trigger.body.email }}" }, companyId: "{{ company.id }}" },
    },
  },
  {
    id: "task",
    kind: "create-record",
    input: {
      object: "task",
      values: { title: "Call {{ trigger.body.email }}" },
      links: [{ object: "person", id: "{{ person.id }}" }],
    },
  },
  { id: "result", kind: "set", input: { known: "{{ found.total }}", task: "{{ task.id }}" } },
];

/** Five steps: search, create three times, set. */
export const fiveSteps = { formatVersion: 1, key: "bench-five", name: "Five steps", triggers: [trigger], steps };

/** The five steps for each new note, whose title stands in for a form's e-mail address. */
export const onNote = {
  formatVersion: 1,
  key: "bench-notes",
  name: "Five steps for each note",
  triggers: [{ id: "made", kind: "record-event", objects: ["note"], events: ["created"] }],
  steps: JSON.parse(JSON.stringify(steps).replaceAll(/trigger\.body\.\w+/g, "trigger.record.title")) as object[],
};

/** What somebody else waits for meanwhile. */
export const bystander = {
  formatVersion: 1,
  key: "bench-bystander",
  name: "Somebody else's",
  triggers: [trigger],
  steps: [{ id: "answer", kind: "set", input: { number: "{{ trigger.body.number }}" } }],
};

/** The five steps and an e-mail. */
export const withEmail = {
  formatVersion: 1,
  key: "bench-email",
  name: "Five steps and an e-mail",
  triggers: [trigger],
  steps: [
    ...steps,
    {
      id: "tell",
      kind: "send-email",
      input: { to: ["sales@example.com"], subject: "Lead {{ trigger.body.email }}", text: "{{ task.id }}" },
    },
  ],
};
