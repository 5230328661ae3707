import { StepError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { fitGiven } from "../gives.ts";

/** The body as the step's `gives` declares it. Throws StepError `unexpected-body` where it is not what is declared. */
export function checkGiven(body: Json, gives: JsonObject | undefined): Json {
  if (gives === undefined) return body;
  const checked = fitGiven(body, gives);
  if (checked.issues.length === 0) return checked.body;
  const faults = checked.issues.slice(0, 5).map(({ path, message }) => `${path} ${message}`);
  throw new StepError(
    "unexpected-body",
    `The answer is not what "gives" declares: ${faults.join("; ")}. Correct the declaration, or ask the API otherwise.`,
    { details: { issues: checked.issues.slice(0, 20).map(({ path, message }) => ({ path, message })) } },
  );
}
