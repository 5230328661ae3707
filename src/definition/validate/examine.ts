import type { StepKinds } from "../../activities/step-kind.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import type { Definition } from "../schema.ts";
import { eachStep } from "../validate.ts";

/** What is wrong with a valid definition's steps that only trying tells. */
export async function examineSteps(definition: Definition, kinds: StepKinds): Promise<Issue[]> {
  const examining: Array<Promise<Issue[]>> = [];
  eachStep(definition, (step, at) => {
    if (!("input" in step) || !Object.hasOwn(kinds, step.kind)) return;
    const found = kinds[step.kind]?.examine?.(step.input as JsonObject, placeOf(at, "input"));
    if (found !== undefined) examining.push(found);
  });
  return (await Promise.all(examining)).flat();
}
