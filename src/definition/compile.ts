import type { StepKind, StepKinds } from "../activities/step-kind.ts";
import { at as placeOf, type Issue } from "../errors.ts";
import { textOf, type Json } from "../json.ts";
import { compileCondition } from "./conditions.ts";
import { compileValue, type Compiled } from "./expressions.ts";
import type { OnError, Plan, PlanStep, RetryPolicy } from "./plan.ts";
import {
  durationMs,
  type BranchDefinition,
  type Definition,
  type OnErrorDefinition,
  type StepDefinition,
} from "./schema.ts";

/** A node of the plan with its expressions, which stay out of the plan. */
export interface CompiledNode {
  readonly step: PlanStep;
  /** Its place in the definition: `steps[1].branches[0].steps[0]`. */
  readonly at: string;
  /** Of an effect its input; of `set` and `output` the values. */
  readonly input?: Compiled;
  /** Of an effect that gives records: of which object, and where. */
  readonly records?: { readonly object: string; readonly paths: ReadonlyArray<readonly string[]> };
  /** Of `set` and `output`: the keys of the values. */
  readonly gives?: readonly string[];
  /** Of a filter. */
  readonly when?: Compiled<boolean>;
  readonly branches?: ReadonlyArray<{ readonly name?: string; readonly when?: Compiled<boolean> }>;
}

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
/** Of control steps, which do not fail as targets do. */
const controlPolicy = {
  retry: { maximumAttempts: 1, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
  timeoutMs: 30_000,
} as const;

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

  function compileSteps(sources: readonly StepDefinition[], at: string): PlanStep[] {
    return sources.map((source, position) => compileStep(source, placeOf(at, position)));
  }

  function compileStep(source: StepDefinition, at: string): PlanStep {
    const node = reserve();
    const common = {
      id: source.id,
      node,
      name: source.name ?? source.id,
      quick: quickLane,
      queue: "runs",
      ...controlPolicy,
    } as const;
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
      nodes[node] = { step, at, input: compileInput(source.input, at), gives: Object.keys(source.input) };
      return step;
    }
    const kind = kinds[source.kind];
    const step: PlanStep = {
      ...common,
      control: "effect",
      kind: source.kind,
      version: kind?.version ?? 0,
      quick: quickLane && kind !== undefined && kind.effect !== "outside",
      queue: kind?.queue ?? "runs",
      timeoutMs:
        source.timeout === undefined ? (kind?.timeoutMs ?? controlPolicy.timeoutMs) : durationMs(source.timeout),
      retry: retryOf(source.retry, kind),
      ...onError,
    };
    nodes[node] = { step, at, input: compileInput(source.input, at, kind), ...recordsOf(kind, source.input) };
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
    const node = reserve();
    const place = placeOf(at, "output");
    const step: PlanStep = {
      id: `${id}.output`,
      node,
      name: `${id}.output`,
      quick: quickLane,
      queue: "runs",
      ...controlPolicy,
      control: "values",
      kind: "output",
    };
    nodes[node] = { step, at: place, input: value(output, place), gives: Object.keys(output) };
    return [step];
  }

  function compileInput(source: { [key: string]: Json }, at: string, kind?: StepKind): Compiled {
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

  /** A node's number is taken before what lies in it is compiled: depth first. */
  function reserve(): number {
    return nodes.push(undefined as never) - 1;
  }

  return { nodes, issues, steps: compileSteps, value };
}

function recordsOf(kind: StepKind | undefined, input: { [key: string]: Json }): Pick<CompiledNode, "records"> {
  const object = textOf(input["object"]);
  return kind?.records === undefined || object === undefined ? {} : { records: { object, paths: kind.records } };
}

function retryOf(source: Extract<StepDefinition, { input: object }>["retry"], kind: StepKind | undefined): RetryPolicy {
  const usual = kind?.retry ?? controlPolicy.retry;
  if (source === undefined) return usual;
  return {
    maximumAttempts: source.maximumAttempts ?? usual.maximumAttempts,
    initialIntervalMs:
      source.initialInterval === undefined ? usual.initialIntervalMs : durationMs(source.initialInterval),
    backoffCoefficient: source.backoffCoefficient ?? usual.backoffCoefficient,
    maximumIntervalMs:
      source.maximumInterval === undefined ? usual.maximumIntervalMs : durationMs(source.maximumInterval),
  };
}
