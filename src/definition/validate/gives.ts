import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { isJsonObject, type Json } from "../../json.ts";
import type { CompiledNode } from "../compile/node.ts";
import type { PlanStep } from "../plan.ts";

/** What may be read below a value, by key; undefined says that nothing is known of it. */
export type Keys = ReadonlyMap<string, Known> | undefined;

/** A key that can be read. `sure`: it is there whenever its owner is; else its reader must say what stands in. */
export interface Known {
  readonly keys: Keys;
  readonly sure: boolean;
}

/** Keys of which no more is known. */
export function keysOf(names: Iterable<string>, keys?: Keys): Keys {
  return new Map([...names].map((name) => [name, { keys, sure: true }]));
}

/** What later steps may read of a step (DEFINITION.md, "What a step gives"). */
export function givenBy(node: CompiledNode, nodes: readonly CompiledNode[], kinds: StepKinds): Keys {
  const { step } = node;
  if (step.control === "branch") {
    const output = handedOut(step.branches[0]?.steps ?? [], nodes);
    return new Map<string, Known>([...named("branch"), ["output", { keys: output ?? new Map(), sure: true }]]);
  }
  if (step.control === "parallel") {
    const branches = step.branches.map(({ name, steps }): [string, Known] => [
      name,
      { keys: handedOut(steps, nodes) ?? new Map(), sure: true },
    ]);
    return new Map(branches);
  }
  if (step.control === "iterator") {
    const counts: Known = { keys: keysOf(["total", "succeeded", "failed", "filtered"]), sure: true };
    const own = new Map<string, Known>([...named("results"), ...named("failures"), ["counts", counts]]);
    return step.onError === undefined ? own : afterErrors(own, handedOut(step.onError.steps ?? [], nodes));
  }
  if (step.control === "filter") return new Map(named("passed"));
  const own = step.control === "values" ? keysOf(node.gives ?? []) : keysOfEffect(node, kinds[step.kind]?.output);
  if (step.onError === undefined || own === undefined) return own;
  return afterErrors(own, handedOut(step.onError.steps ?? [], nodes));
}

/** A step that may have failed: what it gives is sure only where its onError gives the same. */
function afterErrors(own: ReadonlyMap<string, Known>, standIn: Keys): Keys {
  const names = new Set([...own.keys(), ...(standIn?.keys() ?? [])]);
  const either = [...names].map((name): [string, Known] => {
    const both = own.has(name) && standIn?.has(name) === true;
    return [name, { keys: standIn?.has(name) === true ? undefined : own.get(name)?.keys, sure: both }];
  });
  return new Map([...either, ...named("ok"), ...named("error")]);
}

/** Keys of a block's `output`; undefined where it has none. */
function handedOut(block: readonly PlanStep[], nodes: readonly CompiledNode[]): Keys {
  const last = block.at(-1);
  return last?.kind === "output" ? keysOf(nodes[last.node]?.gives ?? []) : undefined;
}

function named(name: string): Array<[string, Known]> {
  return [[name, { keys: undefined, sure: true }]];
}

function keysOfEffect({ declared }: CompiledNode, schema: z.core.$ZodType | undefined): Keys {
  const own = keysOfSchema(schema);
  return declared === undefined ? own : withDeclared(own, declared.at, keysOfDeclared(declared.schema));
}

/** What is known, with what is declared of the part of it that `at` leads to. */
function withDeclared(known: Keys, [key, ...rest]: readonly string[], declared: Keys): Keys {
  if (key === undefined) return declared;
  if (known === undefined) return undefined;
  const inner = known.get(key);
  return new Map([...known, [key, { sure: inner?.sure ?? true, keys: withDeclared(inner?.keys, rest, declared) }]]);
}

/**
 * The properties that a JSON Schema declares, unless it says that there are others. They are checked when
 * the step runs; whether one that is not required is there is seen then.
 */
function keysOfDeclared(schema: Json | undefined): Keys {
  if (schema === undefined || !isJsonObject(schema)) return undefined;
  const { properties, additionalProperties = false } = schema;
  if (properties === undefined || !isJsonObject(properties) || additionalProperties !== false) return undefined;
  return new Map(Object.entries(properties).map(([name, part]) => [name, { keys: keysOfDeclared(part), sure: true }]));
}

/** An object's keys, if its schema lets no others through. */
function keysOfSchema(schema: z.core.$ZodType | undefined): Keys {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return keysOfSchema(schema.unwrap());
  if (!(schema instanceof z.ZodObject) || !isClosed(schema)) return undefined;
  return new Map(
    Object.entries(schema.shape).map(([name, part]) => [
      name,
      { keys: part instanceof z.ZodType ? keysOfSchema(part) : undefined, sure: true },
    ]),
  );
}

function isClosed(schema: z.ZodObject): boolean {
  const { catchall } = schema.def;
  return catchall === undefined || catchall instanceof z.ZodNever;
}
