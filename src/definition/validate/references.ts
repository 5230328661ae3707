import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import type { Issue } from "../../errors.ts";
import type { TriggerKinds } from "../../triggers/trigger-kind.ts";
import type { CompiledDefinition, CompiledNode } from "../compile.ts";
import type { Reference } from "../expressions.ts";
import type { PlanStep } from "../plan.ts";
import type { Definition } from "../schema.ts";
import { didYouMean } from "../suggest.ts";

/** What may be read below a root: undefined says anything. */
type Keys = ReadonlySet<string> | undefined;
type Scope = ReadonlyMap<string, Keys>;

interface Known {
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
}

/** Checks that every path an expression reads is there at that point: in scope, and a key that is given. */
export function checkReferences(compiled: CompiledDefinition, known: Known): Issue[] {
  const { definition, plan, nodes } = compiled;
  const all = new Map(nodes.filter(({ step }) => step.kind !== "output").map(({ step, at }) => [step.id, at]));
  const issues: Issue[] = [];
  const check = (references: readonly Reference[], scope: Scope): void => {
    for (const reference of references) {
      const fault = faultOf(reference, scope, all);
      if (fault !== undefined) issues.push({ path: reference.at, message: fault });
    }
  };
  const roots = rootScope(definition, known.triggerKinds);

  /** Walks steps in order; gives the scope after them. */
  const walk = (steps: readonly PlanStep[], outer: Scope): Scope => {
    const scope = new Map(outer);
    for (const step of steps) {
      const node = nodes[step.node];
      if (node === undefined) continue;
      check(node.input?.references ?? [], scope);
      check(node.when?.references ?? [], scope);
      if (step.control === "branch") {
        for (const [i, branch] of step.branches.entries()) {
          check(node.branches?.[i]?.when?.references ?? [], scope);
          walk(branch.steps, scope);
        }
      }
      if (step.onError?.steps) walk(step.onError.steps, new Map([...scope, ["error", undefined]]));
      if (step.kind !== "output") scope.set(step.id, keysOf(node, known.kinds));
    }
    return scope;
  };
  const after = walk(plan.steps, roots);
  check(compiled.output?.references ?? [], after);
  check(compiled.concurrencyKey?.references ?? [], concurrencyScope(roots));
  return issues;
}

function rootScope(definition: Definition, triggerKinds: TriggerKinds): Scope {
  const given = definition.triggers.map((trigger) => new Set(triggerKinds[trigger.kind]?.gives ?? []));
  // Only what every trigger gives may be relied on.
  const common = given.reduce((a, b) => new Set([...a].filter((key) => b.has(key))), given[0] ?? new Set<string>());
  return new Map<string, Keys>([
    ["settings", new Set(Object.keys(definition.settings ?? {}))],
    ["trigger", new Set(["id", "kind", ...common])],
    ["run", new Set(["id", "startedAt"])],
    ["workspace", new Set(["timeZone", "currency"])],
  ]);
}

/** A key is evaluated when the run is enqueued: nothing has run yet. */
function concurrencyScope(roots: Scope): Scope {
  return new Map([...roots].filter(([root]) => root !== "run"));
}

function faultOf({ path, tolerant }: Reference, scope: Scope, all: ReadonlyMap<string, string>): string | undefined {
  const [root, key] = path;
  if (typeof root !== "string") return "a path starts with a name";
  if (!scope.has(root)) {
    const elsewhere = all.get(root);
    if (elsewhere !== undefined) return `"${root}" cannot be read here: ${elsewhere} comes later, or lies in another block. A block hands values out by its "output"`;
    if (root === "error") return `"error" can be read inside onError steps only`;
    return `unknown step "${root}"${didYouMean(root, scope.keys())}`;
  }
  const keys = scope.get(root);
  if (keys === undefined || key === undefined || typeof key === "number" || keys.has(key) || tolerant) return undefined;
  return `"${root}" gives no "${key}"${didYouMean(key, keys)}`;
}

function keysOf({ step }: CompiledNode, kinds: StepKinds): Keys {
  if (step.control === "branch") return new Set(["branch", "output"]);
  if (step.control === "filter") return new Set(["passed"]);
  const own = step.control === "values" ? undefined : outputKeys(kinds[step.kind]?.output);
  if (own === undefined || step.onError === undefined) return own;
  // What onError steps hand out has keys of its own.
  return step.onError.steps === undefined ? new Set([...own, "ok", "error"]) : undefined;
}

function outputKeys(schema: z.ZodType | undefined): Keys {
  return schema instanceof z.ZodObject ? new Set(Object.keys(schema.shape)) : undefined;
}
