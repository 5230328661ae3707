import { z } from "zod";
import { isUuid } from "../../ids.ts";
import { settingTypes } from "../../definition/schema.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import type { TriggerCheck } from "../trigger-kind.ts";

/** Types of inputs: what a value of each must be, and how that is said. */
const inputTypes = {
  text: { schema: settingTypes.text, takes: "text of at most 10,000 characters" },
  number: { schema: settingTypes.number, takes: "a number" },
  boolean: { schema: settingTypes.boolean, takes: "true or false" },
  date: { schema: z.iso.date(), takes: "a day, such as 2026-03-29" },
  dateTime: {
    schema: z.iso.datetime({ offset: true }),
    takes: "a date and time with its offset, such as 2026-03-29T10:00:00Z",
  },
  email: { schema: settingTypes.email, takes: "an e-mail address" },
  emails: { schema: settingTypes.emails, takes: "a list of at most 50 e-mail addresses" },
  url: { schema: settingTypes.url, takes: "a URL" },
  select: { schema: settingTypes.select, takes: "one of its options" },
  record: { schema: settingTypes.record, takes: "the id of a record" },
  member: { schema: settingTypes.member, takes: "the e-mail address of a member" },
  timeZone: { schema: settingTypes.timeZone, takes: "an IANA time zone, such as Europe/Berlin" },
} as const satisfies Record<string, { schema: z.ZodType; takes: string }>;

type InputType = keyof typeof inputTypes;

const inputName = z
  .string()
  .regex(/^[a-z][a-zA-Z0-9]{0,63}$/, "a name is a lower-case letter, then letters and digits");
const json = z.json() as z.ZodType<Json>;

const inputSchema = z.strictObject({
  type: z.enum(Object.keys(inputTypes) as [InputType, ...InputType[]]),
  label: z.string().min(1).max(200).optional(),
  description: z.string().max(2_000).optional(),
  required: z.boolean().default(false),
  default: json.optional(),
  options: z.array(z.string().min(1).max(100)).min(1).max(100).optional().meta({ description: "Of a select" }),
  object: z.string().min(1).max(64).optional().meta({ description: "Of a record: the object's name" }),
});

/** A field that whoever launches a workflow fills in. */
export type Input = z.output<typeof inputSchema>;

/** The fields by name. */
export const inputsSchema = z.record(inputName, inputSchema);

export type Inputs = z.output<typeof inputsSchema>;

/** What is wrong with inputs declared under `key`, beside their shape; where an expression stands, nothing is yet. */
export function checkInputs(inputs: Json | undefined, { objects, at }: TriggerCheck, key = "inputs"): Issue[] {
  if (inputs === undefined || !isJsonObject(inputs)) return [];
  return Object.entries(inputs).flatMap(([name, written]) => {
    const place = placeOf(placeOf(at, key), name);
    const parsed = inputSchema.safeParse(written);
    if (!parsed.success) return [];
    const input = parsed.data;
    const faults: Issue[] = [];
    if ((input.type === "select") !== (input.options !== undefined))
      faults.push({ path: placeOf(place, "options"), message: "belong to a select, which needs them" });
    if ((input.type === "record") !== (input.object !== undefined))
      faults.push({ path: placeOf(place, "object"), message: "belongs to a record, which needs it" });
    if (input.object !== undefined && !isExpression(input.object) && objects.find(input.object) === undefined) {
      const meant = didYouMean(
        input.object,
        objects.list().map((object) => object.name),
      );
      faults.push({ path: placeOf(place, "object"), message: `there is no object "${input.object}"${meant}` });
    }
    if (input.default !== undefined && !isExpression(input.default) && faults.length === 0)
      faults.push(...checkValue(input, input.default, placeOf(place, "default")));
    return faults;
  });
}

/**
 * The values of declared inputs: as given, else their defaults, else null. `issues` has the place below
 * `at` of what does not fit, lacks or is not declared.
 */
export function readInputs(
  declared: Inputs,
  given: JsonObject,
  at = "inputs",
): { readonly values: JsonObject; readonly issues: readonly Issue[] } {
  const names = Object.keys(declared);
  const strange = Object.keys(given)
    .filter((name) => !Object.hasOwn(declared, name))
    .map((name) => ({ path: placeOf(at, name), message: `there is no input "${name}"${didYouMean(name, names)}` }));
  const issues: Issue[] = [...strange];
  const values = names.map((name): [string, Json] => {
    const input = declared[name];
    const value = (Object.hasOwn(given, name) ? given[name] : null) ?? input?.default ?? null;
    const path = placeOf(at, name);
    if (input === undefined) return [name, null];
    if (value !== null) issues.push(...checkValue(input, value, path));
    else if (input.required) issues.push({ path, message: `is required${input.label ? `: ${input.label}` : ""}` });
    return [name, value];
  });
  return { values: Object.fromEntries(values), issues };
}

function checkValue(input: Input, value: Json, path: string): Issue[] {
  const parsed = inputTypes[input.type].schema.safeParse(value);
  if (!parsed.success) return [{ path, message: expected(input, value) }];
  const { options } = input;
  if (options === undefined || (typeof value === "string" && options.includes(value))) return [];
  const text = typeof value === "string" ? value : "";
  return [{ path, message: `is none of ${options.join(", ")}${didYouMean(text, options)}` }];
}

function expected({ type }: Input, value: Json): string {
  const written = JSON.stringify(value);
  return `takes ${inputTypes[type].takes}, but got ${written.length > 60 ? `${written.slice(0, 57)}…` : written}`;
}

/** Records that the values name, by their objects: whether they are there is for the database to say. */
export function recordsIn(
  declared: Inputs,
  values: JsonObject,
): Array<{ readonly name: string; readonly object: string; readonly id: string }> {
  return Object.entries(declared).flatMap(([name, { type, object }]) => {
    const id = values[name];
    return type === "record" && object !== undefined && typeof id === "string" && isUuid(id)
      ? [{ name, object, id }]
      : [];
  });
}

function isExpression(value: Json): boolean {
  return typeof value === "string" && value.includes("{{");
}
