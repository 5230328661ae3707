import type { StepKinds } from "../activities/step-kind.ts";
import { at as placeOf, type Issue } from "../errors.ts";
import type { Json } from "../json.ts";
import { declaredOf, recordsOf, type CompiledNode } from "./compile/node.ts";
import { controlPolicy, isQuick, retryOf, timeoutOf } from "./compile/policies.ts";
import { createValues } from "./compile/values.ts";
import type { Compiled } from "./expressions.ts";
import {
  openingOf,
  partsOf,
  type ItemStep,
  type IteratorStep,
  type OnError,
  type OpenStep,
  type ParallelStep,
  type Plan,
  type PlanStep,
} from "./plan.ts";
import type {
  BranchDefinition,
  Definition,
  IteratorDefinition,
  OnErrorDefinition,
  ParallelBranchDefinition,
  StepDefinition,
} from "./schema.ts";

export interface CompiledDefinition {
  readonly definition: Definition;
  readonly plan: Plan;
  /** By `PlanStep.node`. */
  readonly nodes: readonly CompiledNode[];
  readonly output?: Compiled;
  readonly concurrencyKey?: Compiled;
  /** What is wrong with expressions and conditions. */
  readonly issues: readonly Issue[];
}

export interface CompileDefinitionOptions {
  readonly kinds: StepKinds;
  /** False: no step is quick, so that each is an activity of its own. */
  readonly quickLane: boolean;
}

/** How long one block of quick steps may run (DURABILITY.md §5). */
const blockMs = 2_000;

/**
 * Compiles a definition to the plan that the interpreter walks and to its expressions. Nodes are
 * numbered depth first, in the order of the document; what a block hands out becomes its last step.
 * Kinds that the registry lacks are left to validation: they get a control step's policy.
 */
export function compileDefinition(definition: Definition, options: CompileDefinitionOptions): CompiledDefinition {
  const compiler = createCompiler(options);
  const steps = compiler.steps(definition.steps, "steps");
  const output = definition.output && compiler.value(definition.output, "output");
  const key = definition.concurrency && compiler.value(definition.concurrency.key, "concurrency.key");
  return {
    definition,
    plan: { format: 1, steps, blockMs },
    nodes: compiler.nodes,
    ...(output === undefined ? {} : { output }),
    ...(key === undefined ? {} : { concurrencyKey: key }),
    issues: compiler.issues,
  };
}

function createCompiler({ kinds, quickLane }: CompileDefinitionOptions) {
  const nodes: CompiledNode[] = [];
  const issues: Issue[] = [];
  const { input, condition, value } = createValues(issues);
  /** Whether what is compiled now may be at work beside other steps. */
  let beside = false;

  function compileSteps(sources: readonly StepDefinition[], at: string): PlanStep[] {
    return sources.map((source, position) => compileStep(source, placeOf(at, position)));
  }

  function compileStep(source: StepDefinition, at: string): PlanStep {
    const common = commonOf(source);
    const { node } = common;
    if ("items" in source) return compileIterator(source, common, at);
    if ("branches" in source && source.kind === "parallel") return compileParallel(source.branches, common, at);
    if ("branches" in source) {
      const branches = source.branches.map((branch, i) =>
        compileBranch(source.id, branch, placeOf(placeOf(at, "branches"), i)),
      );
      const step: PlanStep = {
        ...common,
        control: "branch",
        kind: "branch",
        branches: branches.map(({ plan }) => plan),
      };
      nodes[node] = { step, at, branches: branches.map(({ compiled }) => compiled) };
      return step;
    }
    if ("when" in source) {
      const step: PlanStep = { ...common, control: "filter", kind: "filter" };
      nodes[node] = { step, at, when: condition(source.when, placeOf(at, "when")) };
      return step;
    }
    const onError = compileOnError(source.id, source.onError, placeOf(at, "onError"));
    if (source.kind === "set") {
      const step: PlanStep = { ...common, control: "values", kind: "set", ...onError };
      nodes[node] = { step, at, input: input(source.input, at), gives: Object.keys(source.input) };
      return step;
    }
    const kind = kinds[source.kind];
    const step: PlanStep = {
      ...common,
      control: "effect",
      kind: source.kind,
      version: kind?.version ?? 0,
      // What is done once under a value may have to wait for another run.
      quick: quickLane && source.once === undefined && isQuick(kind, source.input),
      queue: kind?.queue ?? "runs",
      timeoutMs: timeoutOf(source, kind),
      retry: retryOf(source.retry, kind),
      ...onError,
    };
    const once = source.once === undefined ? {} : { once: value(source.once, placeOf(at, "once")) };
    const told = { ...recordsOf(kind, source.input), ...declaredOf(kind, source.input) };
    nodes[node] = { step, at, input: input(source.input, at, kind), ...once, ...told };
    return step;
  }

  function commonOf(source: { id: string; name?: string | undefined }) {
    const { id, name = id } = source;
    const own = { id, node: reserve(), name, quick: quickLane, queue: "runs", ...controlPolicy } as const;
    return beside ? { ...own, beside: true as const } : own;
  }

  /** Compiles what may be at work beside other steps. */
  function compileBeside<T>(several: boolean, compile: () => T): T {
    const outer = beside;
    beside ||= several;
    const compiled = compile();
    beside = outer;
    return compiled;
  }

  function compileParallel(sources: readonly ParallelBranchDefinition[], common: Common, at: string): ParallelStep {
    const branches = compileBeside(sources.length > 1, () =>
      sources.map(({ name, steps, output }, i) => {
        const place = placeOf(placeOf(at, "branches"), i);
        return {
          name,
          steps: [
            ...compileSteps(steps, placeOf(place, "steps")),
            ...compileOutput(`${common.id}.${name}`, output, place),
          ],
        };
      }),
    );
    const quick = common.quick && branches.every(({ steps }) => areQuick(steps));
    const step: ParallelStep = { ...common, quick, control: "parallel", kind: "parallel", branches };
    nodes[common.node] = { step, at };
    return step;
  }

  function compileIterator(
    source: IteratorDefinition & Pick<StepDefinition, "onError">,
    common: Common,
    at: string,
  ): IteratorStep {
    const { id } = common;
    const { concurrency, onItemError, batch, output } = source;
    const open: OpenStep = {
      ...commonOf({ id: openingOf(id) }),
      control: "open",
      kind: "open",
      ...(batch === undefined ? {} : { batch }),
    };
    const itemsAt = placeOf(at, "items");
    nodes[open.node] = { step: open, at: itemsAt, input: value(source.items, itemsAt) };
    const { steps, item } = compileBeside(concurrency > 1, () => ({
      steps: compileSteps(source.steps, placeOf(at, "steps")),
      item: compileItem(id, output, at),
    }));
    const step: IteratorStep = {
      ...common,
      quick: common.quick && areQuick(steps),
      control: "iterator",
      kind: "iterator",
      concurrency,
      onItemError,
      open,
      steps,
      item,
      ...compileOnError(id, source.onError, placeOf(at, "onError")),
    };
    nodes[common.node] = { step, at };
    return step;
  }

  function compileItem(id: string, output: Record<string, Json> | undefined, at: string): ItemStep {
    const step: ItemStep = { ...commonOf({ id: `${id}.item` }), control: "item", kind: "item" };
    const place = placeOf(at, "output");
    nodes[step.node] = {
      step,
      at: place,
      ...(output === undefined ? {} : { input: value(output, place), gives: Object.keys(output) }),
    };
    return step;
  }

  function compileBranch(id: string, branch: BranchDefinition, at: string) {
    const when = branch.when && condition(branch.when, placeOf(at, "when"));
    const named = branch.name === undefined ? {} : { name: branch.name };
    return {
      plan: {
        ...named,
        steps: [...compileSteps(branch.steps, placeOf(at, "steps")), ...compileOutput(id, branch.output, at)],
      },
      compiled: { ...named, ...(when === undefined ? {} : { when }) },
    };
  }

  function compileOnError(id: string, source: OnErrorDefinition | undefined, at: string): { onError?: OnError } {
    if (source === undefined || source === "fail") return {};
    if (source === "continue") return { onError: {} };
    const steps = source.steps ?? [];
    const handler = [...compileSteps(steps, placeOf(at, "steps")), ...compileOutput(id, source.output, at)];
    return { onError: { ...(source.codes === undefined ? {} : { codes: source.codes }), steps: handler } };
  }

  function compileOutput(id: string, output: Record<string, Json> | undefined, at: string): PlanStep[] {
    if (output === undefined) return [];
    const place = placeOf(at, "output");
    const step: PlanStep = { ...commonOf({ id: `${id}.output` }), control: "values", kind: "output" };
    nodes[step.node] = { step, at: place, input: value(output, place), gives: Object.keys(output) };
    return [step];
  }

  /** A node's number is taken before what lies in it is compiled: depth first. */
  function reserve(): number {
    return nodes.push(undefined as never) - 1;
  }

  return { nodes, issues, steps: compileSteps, value };
}

type Common = Omit<ParallelStep, "control" | "kind" | "branches" | "onError"> & { readonly queue: "runs" };

function areQuick(steps: readonly PlanStep[]): boolean {
  return steps.every((step) => step.quick && partsOf(step).every(areQuick));
}
