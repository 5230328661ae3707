import type { z } from "zod";
import type { StepKind } from "../../activities/step-kind.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import { faultsOf } from "../issues.ts";
import { holdsExpression, standsForMore } from "../standing-in.ts";

/**
 * Checks a step's input as written against the shape that its kind takes when it is resolved. An
 * expression may stand for any value, so a fault at an expression, or of a list that holds one, is
 * none; what is written out must fit, and the kind's fixed keys must be written out.
 */
export function checkInput(kind: StepKind, input: JsonObject, at: string): Issue[] {
  const unfixed = kind.fixed
    .filter((key) => kind.places?.[key] !== "verbatim" && holdsExpression(input[key]))
    .map((key) => ({
      path: placeOf(at, key),
      message: `"${key}" must be written out: it is looked up when the workflow is activated`,
    }));
  const schema: z.ZodType = kind.input;
  const parsed = schema.safeParse(input);
  if (parsed.success) return unfixed;
  const faults = faultsOf(parsed.error, schema, (path) => standsForMore(input, path));
  return [...unfixed, ...faults.map(({ path, message }) => ({ path: writePlace(path, at), message }))];
}

function writePlace(path: readonly PropertyKey[], at: string): string {
  return path.reduce<string>((whole, key) => placeOf(whole, typeof key === "number" ? key : String(key)), at);
}
