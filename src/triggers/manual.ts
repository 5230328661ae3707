import { z } from "zod";
import { didYouMean } from "../definition/suggest.ts";
import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { checkInputs, inputsSchema } from "./manual/inputs.ts";
import type { TriggerCheck, TriggerKind } from "./trigger-kind.ts";

/** What a workflow is launched for: nothing in particular, each selected record, or all of them together. */
export const availabilities = ["global", "single", "bulk"] as const;

export const manualSettings = z.strictObject({
  availability: z
    .enum(availabilities)
    .default("global")
    .meta({ description: "global: no record; single: a run for each record; bulk: one run for the whole selection" }),
  object: z.string().min(1).max(64).optional().meta({ description: "Whose records are selected; not for global" }),
  inputs: inputsSchema.default({}).meta({ description: "What whoever launches it is asked for" }),
});

/** A manual trigger's settings as it is armed with them. */
export type ManualSettings = z.output<typeof manualSettings>;

export const manual: TriggerKind = {
  kind: "manual",
  title: "Manual launch",
  description: "A person launches it, with or without records selected, by the API or by a signal.",
  settings: manualSettings,
  gives({ availability, inputs }) {
    const names = inputs !== undefined && isJsonObject(inputs) ? Object.keys(inputs) : [];
    const given = { inputs: Object.fromEntries(names.map((name) => [name, true as const])) };
    if (availability === "single") return { ...given, object: true, record: true };
    if (availability === "bulk") return { ...given, object: true, records: true, count: true };
    return given;
  },
  check(settings, context) {
    return [...checkObject(settings, context), ...checkInputs(settings["inputs"], context)];
  },
  sample: {
    settings: {
      availability: "single",
      object: "person",
      inputs: { campaign: { type: "text", label: "Campaign", required: true } },
    },
    gives: {
      object: "person",
      record: { id: "0192f0c4-7a10-7cc3-9e55-000000000001", name: { firstName: "Ada", lastName: "Lovelace" } },
      inputs: { campaign: "Spring" },
    },
  },
};

/** Records are selected of one object; a global launch has none. */
function checkObject({ availability = "global", object }: JsonObject, { objects, at }: TriggerCheck): Issue[] {
  const path = placeOf(at, "object");
  if (typeof availability !== "string" || isExpression(availability) || isExpression(object)) return [];
  if (availability === "global") {
    const message = 'a global launch has no record: leave "object" out, or set availability to single or bulk';
    return object === undefined ? [] : [{ path, message }];
  }
  if (typeof object !== "string")
    return [{ path, message: `is required where availability is ${availability}: whose records are selected` }];
  if (objects.find(object) !== undefined) return [];
  const known = objects.list().map(({ name }) => name);
  return [{ path, message: `there is no object "${object}"${didYouMean(object, known)}` }];
}

function isExpression(value: Json | undefined): boolean {
  return typeof value === "string" && value.includes("{{");
}
