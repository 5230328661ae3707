import type { z } from "zod";
import type { CheckContext, StepKinds } from "../activities/step-kind.ts";
import type { Objects } from "../crm/objects.ts";
import type { ViewNames } from "../crm/views.ts";
import { at as placeOf, type Issue } from "../errors.ts";
import type { Json } from "../json.ts";
import type { TriggerKinds } from "../triggers/trigger-kind.ts";
import { compileDefinition, type CompiledDefinition } from "./compile.ts";
import { reservedWords } from "./expressions.ts";
import { issuesOf } from "./issues.ts";
import {
  controlKinds,
  createDefinitionSchema,
  limits,
  settingTypes,
  type BranchDefinition,
  type Definition,
  type Setting,
  type StepDefinition,
} from "./schema.ts";
import { didYouMean } from "./suggest.ts";
import { checkInput } from "./validate/inputs.ts";
import { checkOnFailure } from "./validate/on-failure.ts";
import { checkReferences } from "./validate/references.ts";
import { checkTriggers } from "./validate/triggers.ts";

export interface ValidationContext {
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
  readonly objects: Objects;
  /** Names of the views by object; undefined: views are not checked. */
  readonly views?: ViewNames | undefined;
  /** Names of the workspace's secrets; undefined: they are not checked. */
  readonly secrets?: ReadonlySet<string> | undefined;
  /** Keys of the workspace's connections; undefined: they are not checked. */
  readonly connections?: ReadonlySet<string> | undefined;
  /** Keys of the workspace's workflows; undefined: they are not checked. */
  readonly workflows?: ReadonlySet<string> | undefined;
  readonly quickLane: boolean;
  /** The settings' values; given when the definition is to be activated: then none may lack. */
  readonly settings?: { readonly [id: string]: Json };
}

export type Validated =
  | { readonly definition: Definition; readonly compiled: CompiledDefinition; readonly issues: readonly [] }
  | { readonly definition?: undefined; readonly issues: readonly Issue[] };

/**
 * Checks a document: shape, limits, names, references, and what each step kind says of its input.
 * Every fault comes with its exact place; where a name is misspelt, with the one that was meant.
 */
export function validateDefinition(document: unknown, context: ValidationContext): Validated {
  if (nestsDeeper(document, limits.values)) return refused(`values nest more than ${limits.values} deep`);
  const bytes = Buffer.byteLength(JSON.stringify(document) ?? "");
  if (bytes > limits.documentBytes)
    return refused(`the definition has ${bytes} bytes; ${limits.documentBytes} are allowed`);
  const schema = createDefinitionSchema(context.triggerKinds);
  const parsed = schema.safeParse(document);
  if (!parsed.success) return { issues: issuesOf(parsed.error, schema) };
  const definition = parsed.data;
  const issues = [
    ...checkTree(definition),
    ...checkSettings(definition, context),
    ...checkTriggers(definition, context),
    ...checkOnFailure(definition, context),
    ...checkKinds(definition, context),
  ];
  if (issues.length > 0) return { issues };
  const compiled = compileDefinition(definition, context);
  const faults = [...compiled.issues, ...checkReferences(compiled, context), ...checkPlan(compiled)];
  return faults.length > 0 ? { issues: faults } : { definition, compiled, issues: [] };
}

function refused(message: string): Validated {
  return { issues: [{ path: "", message }] };
}

/** Whether lists and objects lie in one another deeper than that: what walks them would overflow. */
function nestsDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((part) => nestsDeeper(part, levels - 1));
}

/** Calls `visit` for every step, with its place and how many blocks it lies in. */
export function eachStep(
  definition: Definition,
  visit: (step: StepDefinition, at: string, depth: number) => void,
): void {
  const walk = (steps: readonly StepDefinition[], at: string, depth: number): void => {
    for (const [position, step] of steps.entries()) {
      const place = placeOf(at, position);
      visit(step, place, depth);
      if ("branches" in step) {
        for (const [i, branch] of step.branches.entries())
          walk(branch.steps, `${place}.branches[${i}].steps`, depth + 1);
      }
      if ("items" in step) walk(step.steps, `${place}.steps`, depth + 1);
      if ("onError" in step && typeof step.onError === "object")
        walk(step.onError.steps ?? [], `${place}.onError.steps`, depth + 1);
    }
  };
  walk(definition.steps, "steps", 1);
}

function checkTree(definition: Definition): Issue[] {
  const issues: Issue[] = [];
  const places = new Map<string, string>();
  let count = 0;
  eachStep(definition, (step, at, depth) => {
    count += 1;
    const first = places.get(step.id);
    if (first !== undefined)
      issues.push({
        path: `${at}.id`,
        message: `the id "${step.id}" is taken by ${first}; ids are unique in the whole definition`,
      });
    else if (reservedWords.has(step.id))
      issues.push({ path: `${at}.id`, message: `"${step.id}" is a word of expressions; choose another id` });
    else places.set(step.id, at);
    if (depth > limits.nesting)
      issues.push({ path: at, message: `blocks nest ${depth} deep; ${limits.nesting} are allowed` });
    if (step.kind === "branch" && "branches" in step) issues.push(...checkBranches(step.branches, `${at}.branches`));
    if (step.kind === "parallel" && "branches" in step) issues.push(...checkNames(step.branches, `${at}.branches`));
  });
  issues.push(...checkLoops(definition.steps, "steps", 0));
  if (count > limits.steps) issues.push({ path: "steps", message: `${count} steps; ${limits.steps} are allowed` });
  return issues;
}

function checkBranches(branches: readonly BranchDefinition[], at: string): Issue[] {
  const issues = checkNames(branches, at);
  const keys = branches.map((branch) =>
    Object.keys(branch.output ?? {})
      .toSorted()
      .join(", "),
  );
  for (const [i, branch] of branches.entries()) {
    const place = placeOf(at, i);
    if (branch.when === undefined && i < branches.length - 1) {
      issues.push({ path: place, message: `only the last branch may have no "when": it is the else` });
    }
    if (keys[i] !== keys[0]) {
      issues.push({
        path: `${place}.output`,
        message: `every branch must give the same keys: the first gives ${keys[0] || "none"}, this one ${keys[i] || "none"}`,
      });
    }
  }
  return issues;
}

function checkNames(branches: ReadonlyArray<{ name?: string | undefined }>, at: string): Issue[] {
  const names = branches.map(({ name }) => name);
  return branches.flatMap(({ name }, i) =>
    name !== undefined && names.indexOf(name) < i
      ? [{ path: `${at}[${i}].name`, message: `the name "${name}" is taken` }]
      : [],
  );
}

/** Loops lie in one another only so deep: each level multiplies what a run does. */
function checkLoops(steps: readonly StepDefinition[], at: string, depth: number): Issue[] {
  return steps.flatMap((step, i) => {
    const place = placeOf(at, i);
    const isLoop = "items" in step;
    if (isLoop && depth === limits.loops)
      return [
        {
          path: place,
          message: `loops nest deeper than ${limits.loops}; put the inner one into a workflow of its own`,
        },
      ];
    const own = isLoop ? checkLoops(step.steps, `${place}.steps`, depth + 1) : [];
    const branches = "branches" in step ? step.branches : [];
    const inBranches = branches.flatMap((branch, j) =>
      checkLoops(branch.steps, `${place}.branches[${j}].steps`, depth),
    );
    const handler = typeof step.onError === "object" ? (step.onError.steps ?? []) : [];
    return [...own, ...inBranches, ...checkLoops(handler, `${place}.onError.steps`, depth)];
  });
}

function checkSettings(definition: Definition, { settings: values, objects }: ValidationContext): Issue[] {
  return Object.entries(definition.settings ?? {}).flatMap(([id, setting]) => {
    const at = `settings.${id}`;
    const issues: Issue[] = [];
    if ((setting.type === "select") !== (setting.options !== undefined)) {
      issues.push({ path: at, message: `"options" belong to a setting of type select, and only to it` });
    }
    if ((setting.type === "record") !== (setting.object !== undefined)) {
      issues.push({ path: at, message: `"object" belongs to a setting of type record, and only to it` });
    }
    if (setting.object !== undefined && objects.find(setting.object) === undefined) {
      const known = objects.list().map(({ name }) => name);
      issues.push({
        path: `${at}.object`,
        message: `unknown object "${setting.object}"${didYouMean(setting.object, known)}`,
      });
    }
    if (setting.default !== undefined) issues.push(...checkSetting(setting, setting.default, `${at}.default`));
    return values === undefined
      ? issues
      : [...issues, ...checkValue(setting, Object.hasOwn(values, id) ? values[id] : undefined, at)];
  });
}

/** A value was right when it was set; the version that is activated may declare another type. */
function checkValue(setting: Setting, value: Json | undefined, at: string): Issue[] {
  if (value !== undefined) return checkSetting(setting, value, at);
  return setting.default === undefined
    ? [{ path: at, message: "this setting has no value: set it, or give it a default" }]
    : [];
}

/** What is wrong with a setting's value. */
export function checkSetting(setting: Setting, value: Json, at: string): Issue[] {
  const schema: z.ZodType = settingTypes[setting.type];
  const parsed = schema.safeParse(value);
  if (!parsed.success) return issuesOf(parsed.error, schema, at);
  if (typeof value === "string" && setting.options?.includes(value) === false) {
    return [{ path: at, message: `"${value}" is not an option${didYouMean(value, setting.options)}` }];
  }
  return [];
}

function checkKinds(definition: Definition, known: ValidationContext): Issue[] {
  const { kinds, objects, views, connections, settings } = known;
  // Two that call one another are saved one after the other: only what is activated must find the other.
  const workflows = settings === undefined ? undefined : known.workflows;
  const issues: Issue[] = [];
  const names = [...controlKinds, ...Object.keys(kinds)];
  eachStep(definition, (step, at) => {
    if ((controlKinds as string[]).includes(step.kind) || !("input" in step)) return;
    const kind = Object.hasOwn(kinds, step.kind) ? kinds[step.kind] : undefined;
    if (kind === undefined) {
      issues.push({ path: `${at}.kind`, message: `unknown step kind "${step.kind}"${didYouMean(step.kind, names)}` });
      return;
    }
    const input = step.input as { [key: string]: Json };
    const context: CheckContext = { objects, views, connections, workflows, at: `${at}.input` };
    const shape = checkInput(kind, input, context.at);
    issues.push(...(shape.length > 0 ? shape : (kind.check?.(input, context) ?? [])));
    if ("once" in step && step.once !== undefined && kind.effect !== "record" && kind.effect !== "outside")
      issues.push({
        path: `${at}.once`,
        message: `"once" stands on steps that change records or act outside: ${step.kind} does neither`,
      });
  });
  return issues;
}

function checkPlan({ plan }: CompiledDefinition): Issue[] {
  const bytes = Buffer.byteLength(JSON.stringify(plan));
  if (bytes <= limits.planBytes) return [];
  return [
    {
      path: "steps",
      message: `the compiled plan has ${bytes} bytes; ${limits.planBytes} are allowed. Use fewer steps, or shorter names`,
    },
  ];
}
