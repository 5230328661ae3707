import { z } from "zod";
import { controlPolicy } from "../../definition/compile/policies.ts";
import { momentAfter, readMoment } from "../../definition/moments.ts";
import { durationSchema, timeZoneSchema } from "../../definition/schema.ts";
import { findWait } from "../../runs/waits/find.ts";
import { waitIdOf, waitUntil } from "../../runs/waits/open.ts";
import type { ControlKind, StepOutcome } from "../step-kind.ts";

const input = z
  .strictObject({
    for: durationSchema.optional(),
    until: z
      .string()
      .refine(
        (text) => readMoment(text, "UTC") !== undefined,
        "a moment is a day or a date with a time: 2026-03-29, 2026-03-29T09:00 or 2026-03-29T09:00:00Z",
      )
      .optional(),
    timeZone: timeZoneSchema.optional(),
  })
  .refine((given) => (given.for === undefined) !== (given.until === undefined), `say "for" how long or "until" when`);

/** The moment is kept when the step first comes to it: however often it is asked, it waits until then. */
export const wait: ControlKind<z.output<typeof input>> = {
  kind: "wait",
  effect: "control",
  version: 1,
  title: "Wait",
  description: "Waits for a time or until a moment, without holding a slot.",
  queue: "runs",
  ...controlPolicy,
  input,
  output: z.object({ until: z.iso.datetime() }),
  fixed: [],
  sample: {
    input: { until: "2000-01-01T09:00", timeZone: "Europe/Berlin" },
    output: { until: "2000-01-01T08:00:00.000Z" },
  },
  async run({ sql, workspace, run, fence, path }, given, { beside }) {
    const waitId = waitIdOf(path, "timer");
    const known = await findWait(sql, run.id, waitId);
    if (known?.over === true) return reached(known.until ?? new Date());
    if (known !== undefined) return { waitId };
    const zone = given.timeZone ?? workspace.timeZone;
    const now = new Date();
    const until =
      given.for === undefined ? (readMoment(given.until ?? "", zone) ?? now) : momentAfter(now, given.for, zone);
    if (until <= now) return reached(until);
    return { waitId: await waitUntil(sql, { runId: run.id, fence }, { path, until, beside }) };
  },
};

function reached(until: Date): StepOutcome {
  return { output: { until: until.toISOString() }, outcome: "over" };
}
