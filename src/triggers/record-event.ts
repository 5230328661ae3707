import { checkRecordTrigger } from "./record-event/check.ts";
import { recordEventSettings } from "./record-event/settings.ts";
import type { Given, TriggerKind } from "./trigger-kind.ts";

const ofEvent: Given = {
  object: true,
  event: true,
  record: true,
  before: true,
  changedFields: true,
  actor: true,
  eventId: true,
};

export const recordEvent: TriggerKind = {
  kind: "record-event",
  title: "Record event",
  description: "Starts a run when a record is created, updated, deleted or restored, for each or for many at once.",
  settings: recordEventSettings,
  gives: ({ deliver }) => (deliver === "list" ? { events: true } : ofEvent),
  check: checkRecordTrigger,
  sample: {
    settings: {
      objects: ["opportunity"],
      events: ["upserted"],
      condition: { field: "stage", operator: "became", value: "CLOSED_WON" },
    },
    gives: {
      object: "opportunity",
      event: "updated",
      record: { id: "0199d5f0-0000-7000-8000-000000000001", name: "Acme", stage: "CLOSED_WON" },
      before: { id: "0199d5f0-0000-7000-8000-000000000001", name: "Acme", stage: "PROPOSAL" },
      changedFields: ["stage"],
      actor: { source: "API", workspaceMemberId: null, name: "Tester" },
      eventId: 4711,
    },
  },
};
