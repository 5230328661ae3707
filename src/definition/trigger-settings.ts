import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import type { TriggerCheck, TriggerKind } from "../triggers/trigger-kind.ts";
import { compileValue, ExpressionError, type Compiled, type Evaluation } from "./expressions.ts";
import { property } from "./expressions/values.ts";
import { issuesOf } from "./issues.ts";
import type { Definition, TriggerDefinition } from "./schema.ts";
import { holdsExpression } from "./standing-in.ts";

/** A trigger's settings as written, without its id and kind. */
export function settingsOf({ id: _id, kind: _kind, ...settings }: TriggerDefinition): JsonObject {
  return settings;
}

/**
 * What is wrong with a trigger's settings beside their shape: expressions that read anything but the
 * workflow's settings, and what the kind itself says.
 */
export function checkTriggerSettings(trigger: TriggerDefinition, kind: TriggerKind, context: TriggerCheck): Issue[] {
  const { early } = divide(trigger, kind);
  const { compiled, issues } = compileEarly(early, kind, context.at);
  const strange = compiled.references
    .filter(({ path: [root] }) => root !== "settings")
    .map(({ path: [root], at: path }) => ({
      path,
      message: `a trigger is armed before anything runs: its settings read "settings" only, not "${String(root)}"`,
    }));
  return [...issues, ...strange, ...(kind.check?.(settingsOf(trigger), context) ?? [])];
}

/**
 * A trigger's settings with the values of the workflow's settings put in, and defaults filled in: what
 * it is armed with. Late keys stay as written.
 */
export function resolveTriggerSettings(
  trigger: TriggerDefinition,
  kind: TriggerKind,
  { values, check }: { values: JsonObject; check: TriggerCheck },
): { readonly settings: JsonObject; readonly issues: readonly Issue[] } {
  const { early, late } = divide(trigger, kind);
  const resolved = holdsExpression(early)
    ? evaluateEarly(early, kind, { values, at: check.at })
    : { settings: early, issues: [] };
  if (resolved.issues.length > 0) return resolved;
  const whole = { ...resolved.settings, ...late };
  const parsed = kind.settings.safeParse(whole);
  if (!parsed.success) return { settings: whole, issues: issuesOf(parsed.error, kind.settings, check.at) };
  const settings = parsed.data as JsonObject;
  return { settings, issues: kind.check?.(settings, check) ?? [] };
}

function divide(trigger: TriggerDefinition, { late = [] }: TriggerKind): { early: JsonObject; late: JsonObject } {
  const entries = Object.entries(settingsOf(trigger));
  return {
    early: Object.fromEntries(entries.filter(([key]) => !late.includes(key))),
    late: Object.fromEntries(entries.filter(([key]) => late.includes(key))),
  };
}

function compileEarly(
  early: JsonObject,
  { strict }: TriggerKind,
  at: string,
): { compiled: Compiled; issues: readonly Issue[] } {
  return compileValue(early, { at, optional: "allowed", ...(strict === undefined ? {} : { strict }) });
}

function evaluateEarly(
  early: JsonObject,
  kind: TriggerKind,
  { values, at }: { values: JsonObject; at: string },
): { settings: JsonObject; issues: Issue[] } {
  const { compiled } = compileEarly(early, kind, at);
  try {
    const settings = compiled.evaluate(evaluationOver(values));
    return { settings: isJsonObject(settings) ? settings : {}, issues: [] };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { settings: {}, issues: [{ path: error.at, message: error.message.slice(`${error.at}: `.length) }] };
  }
}

/** Values that a definition's settings have where the installation sets none. */
export function defaultsOf({ settings = {} }: Pick<Definition, "settings">): JsonObject {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([id, { default: value }]) => (value === undefined ? [] : [[id, value]])),
  );
}

/** What expressions read that may name the workflow's settings only. */
export function evaluationOver(settings: JsonObject): Evaluation {
  return {
    lookup: ([root, ...rest]) => (root === "settings" ? rest.reduce<Json | undefined>(property, settings) : undefined),
    timeZone: "UTC",
    now: new Date(),
  };
}

/** Where a trigger stands in its definition. */
export function placeOfTrigger(position: number): string {
  return placeOf("triggers", position);
}
