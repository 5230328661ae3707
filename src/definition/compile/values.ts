import type { StepKind } from "../../activities/step-kind.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import type { Json } from "../../json.ts";
import { compileCondition } from "../conditions.ts";
import { compileValue, type Compiled } from "../expressions.ts";

/** Compiles what stands in steps as expressions and conditions; what is wrong with them goes to `issues`. */
export function createValues(issues: Issue[]) {
  /** What a step takes, for its kind: `at` is the step's place. */
  function input(source: { [key: string]: Json }, at: string, kind?: StepKind): Compiled {
    const { compiled, issues: found } = compileValue(source, {
      at: placeOf(at, "input"),
      optional: "allowed",
      ...(kind?.places === undefined ? {} : { places: kind.places }),
      ...(kind?.strict === undefined ? {} : { strict: kind.strict }),
    });
    issues.push(...found);
    return compiled;
  }

  function condition(source: Parameters<typeof compileCondition>[0], at: string): Compiled<boolean> {
    const { compiled, issues: found } = compileCondition(source, { at });
    issues.push(...found);
    return compiled;
  }

  function value(source: Json, at: string): Compiled {
    const { compiled, issues: found } = compileValue(source, { at, optional: "refused" });
    issues.push(...found);
    return compiled;
  }

  return { input, condition, value };
}
