import { z } from "zod";
import { controlPolicy } from "../../definition/compile/policies.ts";
import { readLimit } from "../../definition/moments.ts";
import { durationMs, durationSchema, timeZoneSchema } from "../../definition/schema.ts";
import { holdsExpression } from "../../definition/standing-in.ts";
import { at, StepError, type Issue } from "../../errors.ts";
import { isJsonObject, type JsonObject } from "../../json.ts";
import { parseAddress } from "../../mailbox/address.ts";
import type { Form } from "../../runs/questions/form.ts";
import { ask as askPeople, findAsked } from "../../runs/questions/store.ts";
import { waitIdOf } from "../../runs/waits/open.ts";
import { findSchemaFault } from "../../triggers/body-schema.ts";
import { checkInputs, inputsSchema } from "../../triggers/manual/inputs.ts";
import type { CheckContext, ControlKind } from "../step-kind.ts";

const mostAssignees = 20;
const shortestReminderMs = 60_000;
const now = (): Date => new Date();

/** Null and empty text: nobody, as an empty field of a record gives it. */
const address = z
  .string()
  .nullable()
  .transform((text, context): string | null => {
    if (text === null || text.trim() === "") return null;
    const parsed = parseAddress(text);
    if (parsed !== undefined) return parsed.address;
    context.addIssue({ code: "custom", message: `${JSON.stringify(text.slice(0, 80))} is no e-mail address` });
    return z.NEVER;
  });

const input = z
  .strictObject({
    title: z.string().min(1).max(300),
    text: z.string().max(20_000).optional(),
    assignee: z.union([z.array(address).max(mostAssignees), address.transform((one) => [one])]).default([]),
    fields: inputsSchema.optional(),
    schema: (z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>).optional(),
    deadline: z
      .string()
      .refine(
        (text) => readLimit(text, { start: now(), zone: "UTC" }) !== undefined,
        "a deadline is a duration or a moment: 3d, 2026-03-29, 2026-03-29T17:00",
      )
      .optional(),
    timeZone: timeZoneSchema.optional(),
    notify: z.boolean().default(true),
    remindEvery: durationSchema
      .refine((duration) => durationMs(duration) >= shortestReminderMs, "at least 1m")
      .optional(),
  })
  .refine(
    ({ fields, schema }) => fields === undefined || schema === undefined,
    `"fields" and "schema" both say what is asked for: write one of them`,
  );

type Input = z.output<typeof input>;

/** The question is a row: it is asked once, and whoever changes its row from open has answered it. */
export const ask: ControlKind<Input> = {
  kind: "ask",
  effect: "control",
  version: 1,
  title: "Ask a person",
  description:
    "Asks people to approve something or to fill in a form, and waits for the answer without holding a slot.",
  queue: "runs",
  ...controlPolicy,
  input,
  output: z.object({ answer: z.unknown(), answeredBy: z.unknown(), timedOut: z.boolean() }),
  fixed: [],
  sample: {
    input: { title: "Approve the discount of 30 %?", assignee: "head-of-sales@example.com", deadline: "2d" },
    output: {
      answer: { approved: true, comment: null },
      answeredBy: { kind: "api-key", name: "Head of sales" },
      timedOut: false,
    },
  },
  check: checkForm,
  async run({ sql, workspace, run, fence, path }, given, { beside }) {
    const asked = await findAsked(sql, run.id, path);
    if (asked?.state === "answered") {
      const { answer, answeredBy } = asked;
      return { output: { answer, answeredBy, timedOut: false }, outcome: "answered" };
    }
    if (asked !== undefined && asked.state !== "open")
      return { output: { answer: null, answeredBy: null, timedOut: true }, outcome: "timed out" };
    if (asked !== undefined) return { waitId: waitIdOf(path, "question") };
    const zone = given.timeZone ?? workspace.timeZone;
    const assignees = [...new Set(given.assignee.filter((one) => one !== null))];
    const question = {
      workspaceId: workspace.id,
      path,
      title: given.title,
      details: given.text ?? null,
      assignees,
      form: formOf(given),
      deadline: given.deadline === undefined ? null : (readLimit(given.deadline, { start: now(), zone }) ?? null),
      notify: given.notify && assignees.length > 0,
      remindMs: given.remindEvery === undefined ? null : durationMs(given.remindEvery),
      beside,
    };
    return { waitId: await askPeople(sql, { runId: run.id, fence }, question) };
  },
};

function formOf({ fields, schema }: Input): Form {
  if (fields !== undefined) return { kind: "fields", fields };
  if (schema === undefined) return { kind: "approval" };
  const fault = findSchemaFault(schema);
  if (fault !== undefined) throw new StepError("invalid-input", `The schema of the form cannot be used: ${fault}`);
  return { kind: "schema", schema };
}

/** What is wrong with a form that is written out. */
function checkForm(written: JsonObject, { objects, at: place }: CheckContext): Issue[] {
  const { fields, schema } = written;
  const ofFields = checkInputs(fields, { objects, at: place }, "fields");
  const isWritten = schema !== undefined && isJsonObject(schema) && !holdsExpression(schema);
  const fault = isWritten ? findSchemaFault(schema) : undefined;
  return fault === undefined ? ofFields : [...ofFields, { path: at(place, "schema"), message: fault }];
}
