import { z } from "zod";
import { at as placeOf, type Issue } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { compileValue, ExpressionError } from "../expressions.ts";
import type { Definition } from "../schema.ts";
import { didYouMean } from "../suggest.ts";
import { defaultsOf, evaluationOver } from "../trigger-settings.ts";
import type { ValidationContext } from "../validate.ts";

const place = "onFailure.notify";
const address = z.email().or(z.literal("")).or(z.null());

/**
 * Whom a workflow's failures are told, from its settings' values: an address, or a list of them as they
 * are, unread. Throws ExpressionError where a setting has no value.
 */
export function resolveNotify(notify: Json, settings: JsonObject): Json {
  const { compiled } = compileValue(notify, { at: place, optional: "allowed" });
  return compiled.evaluate(evaluationOver(settings)) ?? null;
}

/** What is wrong with whom a failure is told, and with the workflow that it starts. */
export function checkOnFailure(definition: Definition, { settings: set, workflows }: ValidationContext): Issue[] {
  const { onFailure, key, settings: declared = {} } = definition;
  if (onFailure === undefined) return [];
  const { notify, workflow } = onFailure;
  const values = set === undefined ? undefined : { ...defaultsOf(definition), ...set };
  return [
    ...(notify === undefined ? [] : checkNotify(notify, Object.keys(declared), values)),
    ...(workflow === undefined ? [] : checkWorkflow(workflow, { key, workflows })),
  ];
}

/** With `values`: also what its expressions give. */
function checkNotify(notify: Json, known: readonly string[], values: JsonObject | undefined): Issue[] {
  const { compiled, issues } = compileValue(notify, { at: place, optional: "allowed" });
  if (issues.length > 0) return [...issues];
  const strange = compiled.references.flatMap(({ path: [root, name], at: path }): Issue[] => {
    if (root !== "settings")
      return [{ path, message: `whom a failure is told may read "settings" only, not "${String(root)}"` }];
    if (typeof name !== "string" || known.includes(name)) return [];
    return [{ path, message: `unknown setting "${name}"${didYouMean(name, known)}` }];
  });
  if (strange.length > 0 || (compiled.references.length > 0 && values === undefined)) return strange;
  try {
    const strangers = listOf(resolveNotify(notify, values ?? {})).filter((one) => !address.safeParse(one).success);
    return strangers.map((one) => ({ path: place, message: `${JSON.stringify(one)} is no e-mail address` }));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return [{ path: error.at, message: error.message.slice(`${error.at}: `.length) }];
  }
}

function listOf(value: Json): Json[] {
  return Array.isArray(value) ? value.flatMap(listOf) : [value];
}

function checkWorkflow(
  workflow: string,
  { key, workflows }: { key: string; workflows: ReadonlySet<string> | undefined },
): Issue[] {
  const path = placeOf("onFailure", "workflow");
  if (workflow === key) return [{ path, message: "a workflow cannot be started by its own failure: name another" }];
  if (workflows === undefined || workflows.has(workflow)) return [];
  return [{ path, message: `unknown workflow "${workflow}"${didYouMean(workflow, [...workflows])}` }];
}
