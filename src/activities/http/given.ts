import { StepError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { createRecent } from "../../recent.ts";
import { compileBodySchema, type BodySchema } from "../../triggers/body-schema.ts";

const compiled = createRecent<string, BodySchema>(200);

/**
 * The body as the step's `gives` declares it: text where that is declared and a whole number came. Throws
 * StepError `unexpected-body` where it is not what is declared.
 */
export function checkGiven(body: Json, gives: JsonObject | undefined): Json {
  if (gives === undefined) return body;
  const key = JSON.stringify(gives);
  const schema = compiled.get(key) ?? compileBodySchema(gives);
  compiled.set(key, schema);
  const checked = schema.check(body, { fromText: false });
  if (checked.issues.length === 0) return checked.body;
  const faults = checked.issues.slice(0, 5).map(({ path, message }) => `${path} ${message}`);
  throw new StepError(
    "unexpected-body",
    `The answer is not what "gives" declares: ${faults.join("; ")}. Correct the declaration, or ask the API otherwise.`,
    { details: { issues: checked.issues.slice(0, 20).map(({ path, message }) => ({ path, message })) } },
  );
}
