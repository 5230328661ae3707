import { at as placeOf, type Issue } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { didYouMean } from "../../definition/suggest.ts";
import type { Inputs } from "./inputs.ts";

/** What is told of a failure to the workflow that it starts, each of a type that inputs have. */
export const failureInputs = {
  workflow: "text",
  workflowName: "text",
  run: "text",
  step: "text",
  code: "text",
  message: "text",
  attempts: "number",
  failedAt: "dateTime",
  link: "url",
} as const;

/** Values of a failure by name; null: it has none. */
export type FailureInputs = { readonly [Name in keyof typeof failureInputs]: string | number | null };

/** Of a failure what the manual trigger asks for. */
export function inputsOfFailure(declared: Inputs, failure: FailureInputs): JsonObject {
  const wanted = Object.entries(failure).filter(([name]) => Object.hasOwn(declared, name));
  return Object.fromEntries(wanted);
}

/** What a manual trigger asks for that a failure does not give, or not so. `at` is the place of its name. */
export function checkFailureInputs(declared: Inputs, { workflow, at }: { workflow: string; at: string }): Issue[] {
  return Object.entries(declared).flatMap(([name, { type, required, default: value }]): Issue[] => {
    const place = placeOf(placeOf(at, "inputs"), name);
    const told = Object.hasOwn(failureInputs, name) ? failureInputs[name as keyof typeof failureInputs] : undefined;
    if (told === undefined)
      return required && value === undefined
        ? [
            {
              path: place,
              message: `"${workflow}" requires "${name}", which no failure gives${didYouMean(name, Object.keys(failureInputs))}`,
            },
          ]
        : [];
    if (type === told || (type === "text" && told !== "number")) return [];
    return [{ path: place, message: `"${workflow}" takes "${name}" as ${type}; a failure gives it as ${told}` }];
  });
}
