import type { StepKinds } from "../../activities/step-kind.ts";
import type { Issue } from "../../errors.ts";
import type { Given, TriggerKinds } from "../../triggers/trigger-kind.ts";
import type { CompiledDefinition } from "../compile.ts";
import { reservedWords, secretsRoot, type PathSegment, type Reference } from "../expressions.ts";
import type { PlanStep } from "../plan.ts";
import type { Definition } from "../schema.ts";
import { didYouMean } from "../suggest.ts";
import { settingsOf } from "../trigger-settings.ts";
import { givenBy, keysOf, type Keys, type Known } from "./gives.ts";

/** Roots that can be read at a place, with what may be read below each. */
type Scope = ReadonlyMap<string, Keys>;

interface Kinds {
  readonly kinds: StepKinds;
  readonly triggerKinds: TriggerKinds;
  /** Names of the workspace's secrets; undefined: they are not checked. */
  readonly secrets?: ReadonlySet<string> | undefined;
}

/** Checks that every path an expression reads is there at that point: in scope, and a key that is given. */
export function checkReferences(compiled: CompiledDefinition, kinds: Kinds): Issue[] {
  const { definition, plan, nodes } = compiled;
  const places = new Map(
    nodes.filter(({ step }) => !["output", "open", "item"].includes(step.kind)).map(({ step, at }) => [step.id, at]),
  );
  const issues: Issue[] = [];
  const check = (references: readonly Reference[] | undefined, scope: Scope): void => {
    for (const reference of references ?? []) {
      const fault = faultOf(reference, scope, places);
      if (fault !== undefined) issues.push({ path: reference.at, message: fault });
    }
  };

  /** Walks steps in order; gives the scope after them. What lies in a block stays in it. */
  const walk = (steps: readonly PlanStep[], outer: Scope): Scope => {
    const scope = new Map(outer);
    for (const step of steps) {
      const node = nodes[step.node];
      if (node === undefined) continue;
      check(node.input?.references, isOutside(step, kinds) ? withSecrets(scope, kinds) : scope);
      check(node.once?.references, scope);
      check(node.when?.references, scope);
      if (step.control === "branch" || step.control === "parallel") {
        for (const [i, branch] of step.branches.entries()) {
          check(node.branches?.[i]?.when?.references, scope);
          walk(branch.steps, scope);
        }
      }
      if (step.control === "iterator") {
        check(nodes[step.open.node]?.input?.references, scope);
        const name = step.open.batch === undefined ? "item" : "items";
        walk([...step.steps, step.item], new Map([...scope, [step.id, keysOf([name, "index"])]]));
      }
      if (step.onError?.steps) walk(step.onError.steps, new Map([...scope, ["error", undefined]]));
      if (step.kind !== "output" && step.kind !== "item") scope.set(step.id, givenBy(node, nodes, kinds.kinds));
    }
    return scope;
  };

  const roots = rootScope(definition, kinds.triggerKinds);
  const after = walk(plan.steps, roots);
  check(compiled.output?.references, after);
  issues.push(...checkConcurrencyKey(compiled.concurrencyKey?.references ?? [], roots));
  return issues;
}

function isOutside(step: PlanStep, { kinds }: Kinds): boolean {
  return step.control === "effect" && kinds[step.kind]?.effect === "outside";
}

/** What is sent outside may hold secrets; nothing else may. */
function withSecrets(scope: Scope, { secrets }: Kinds): Scope {
  return new Map([...scope, [secretsRoot, secrets && keysOf(secrets)]]);
}

function rootScope(definition: Definition, triggerKinds: TriggerKinds): Scope {
  const given = definition.triggers.map((trigger) => triggerKinds[trigger.kind]?.gives(settingsOf(trigger)) ?? {});
  return new Map<string, Keys>([
    ["settings", keysOf(Object.keys(definition.settings ?? {}))],
    ["trigger", new Map([...(keysOf(["id", "kind"]) ?? []), ...givenByAny(given)])],
    [
      "run",
      new Map([
        ...(keysOf(["id", "startedAt", "scheduledAt", "launchedBy"]) ?? []),
        ["lastSuccess", { keys: keysOf(["scheduledAt"]), sure: true }],
      ]),
    ],
    ["workspace", keysOf(["timeZone", "currency"])],
  ]);
}

/** What only some of the triggers give may be read where a default stands. */
function givenByAny(given: readonly Given[]): Map<string, Known> {
  const names = new Set(given.flatMap((one) => Object.keys(one)));
  return new Map(
    [...names].map((name): [string, Known] => {
      const parts = given.flatMap((one) => (Object.hasOwn(one, name) ? [one[name] ?? true] : []));
      const known = parts.filter((part) => part !== true);
      const keys = known.length < parts.length ? undefined : givenByAny(known);
      return [name, { keys, sure: parts.length === given.length }];
    }),
  );
}

const keyRoots: ReadonlySet<PathSegment | undefined> = new Set(["trigger", "settings", "workspace"]);

function checkConcurrencyKey(references: readonly Reference[], roots: Scope): Issue[] {
  return references.flatMap((reference) => {
    const [root] = reference.path;
    const message = keyRoots.has(root)
      ? faultOf(reference, roots, new Map())
      : `a concurrency key is evaluated before the run starts: it reads "trigger", "settings" and "workspace" only, not "${root}"`;
    return message === undefined ? [] : [{ path: reference.at, message }];
  });
}

function faultOf({ path, tolerant }: Reference, scope: Scope, places: ReadonlyMap<string, string>): string | undefined {
  const [root, ...rest] = path;
  if (typeof root !== "string") return "a path starts with a name";
  if (!scope.has(root)) return outOfScope(root, scope, places);
  let keys = scope.get(root);
  let owner = root;
  for (const key of rest) {
    if (keys === undefined || typeof key === "number") return undefined;
    const known = keys.get(key);
    if (known === undefined && root === secretsRoot) return `unknown secret "${key}"${didYouMean(key, keys.keys())}`;
    if (known === undefined) return `"${owner}" gives no "${key}"${didYouMean(key, keys.keys())}`;
    owner = `${owner}.${key}`;
    if (!known.sure && !tolerant)
      return `"${owner}" may be missing here: ${whyUnsure(root)}. Add "| default: …" or "| optional"`;
    keys = known.keys;
  }
  return undefined;
}

function whyUnsure(root: string): string {
  return root === "trigger" ? "not every trigger gives it" : `"${root}" goes on when it fails`;
}

function outOfScope(root: string, scope: Scope, places: ReadonlyMap<string, string>): string {
  const place = places.get(root);
  if (place !== undefined)
    return `"${root}" cannot be read here: ${place} comes later, or lies in another block. A block hands values out by its "output"`;
  if (root === "error") return `"error" can be read inside onError steps only`;
  if (root === secretsRoot)
    return `secrets can be read only in the input of a step that sends it outside: nothing else may see their values`;
  if (reservedWords.has(root)) return `"${root}" cannot be read here`;
  return `unknown step "${root}"${didYouMean(root, scope.keys())}`;
}
