import type { StepKind } from "../../activities/step-kind.ts";
import { isJsonObject, textOf, type JsonObject } from "../../json.ts";
import type { Compiled } from "../expressions.ts";
import type { PlanStep } from "../plan.ts";

/** A node of the plan with its expressions, which stay out of the plan. */
export interface CompiledNode {
  readonly step: PlanStep;
  /** Its place in the definition: `steps[1].branches[0].steps[0]`. */
  readonly at: string;
  /** Of an effect its input; of `set` and `output` the values; of a loop's opening the items, of an item's end what it gives. */
  readonly input?: Compiled;
  /** Of an effect that is done once under a value: the value. */
  readonly once?: Compiled;
  /** Of an effect that gives records: of which object, and where. */
  readonly records?: { readonly object: string; readonly paths: ReadonlyArray<readonly string[]> };
  /** Of an effect whose input declares what it gives: the JSON Schema, and of which part of the output it is. */
  readonly declared?: { readonly schema: JsonObject; readonly at: readonly string[] };
  /** Of `set`, `output` and an item's end: the keys of the values. */
  readonly gives?: readonly string[];
  /** Of a filter. */
  readonly when?: Compiled<boolean>;
  readonly branches?: ReadonlyArray<{ readonly name?: string; readonly when?: Compiled<boolean> }>;
}

/** Which records an effect of this kind with this input gives. */
export function recordsOf(kind: StepKind | undefined, input: JsonObject): Pick<CompiledNode, "records"> {
  const object = textOf(input["object"]);
  return kind?.records === undefined || object === undefined ? {} : { records: { object, paths: kind.records } };
}

/** What an effect's input declares that it gives. */
export function declaredOf(kind: StepKind | undefined, input: JsonObject): Pick<CompiledNode, "declared"> {
  const schema = kind?.declared === undefined ? undefined : input[kind.declared.by];
  if (kind?.declared === undefined || schema === undefined || !isJsonObject(schema)) return {};
  return { declared: { schema, at: kind.declared.at } };
}
