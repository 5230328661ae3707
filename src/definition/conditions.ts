import { z } from "zod";
import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import { faultOfOther, matches, operators, unaryOperators, type Operator } from "./conditions/operators.ts";
import {
  compileValue,
  ExpressionError,
  type Compiled,
  type Evaluation,
  type PlacedRead,
  type Reference,
} from "./expressions.ts";
import { ValueFault } from "./expressions/values.ts";
import { passOn } from "./issues.ts";
import { didYouMean } from "./suggest.ts";

export { orderOf as compareValues } from "./conditions/comparing.ts";
export { matches, operators, unaryOperators, type Operator } from "./conditions/operators.ts";

/** A condition on values: the leaves' sides are values or expressions. */
export type Condition =
  | { all: Condition[] }
  | { any: Condition[] }
  | { not: Condition }
  | { left: Json; operator: Operator; right?: Json | undefined };

/** A condition on records: the leaves name fields, by paths over to-one relations. */
export type RecordCondition =
  | { all: RecordCondition[] }
  | { any: RecordCondition[] }
  | { not: RecordCondition }
  | { field: string; operator: Operator; value?: Json | undefined };

/** Operators that compare a record with what it was: of record triggers only. `became`: is now, and was not before. */
export const changeOperators = ["changed", "changedFrom", "became"] as const;

export type ChangeOperator = (typeof changeOperators)[number];
export type EventOperator = Operator | ChangeOperator;

/** A condition on a record's change: the leaves name fields of the record itself. */
export type EventCondition =
  | { all: EventCondition[] }
  | { any: EventCondition[] }
  | { not: EventCondition }
  | { field: string; operator: EventOperator; value?: Json | undefined };

const onRecordTriggersOnly: ReadonlySet<string> = new Set(changeOperators);

function operatorOf<const Name extends string>(names: readonly Name[]): z.ZodType<Name> {
  return z.enum(names as readonly [Name, ...Name[]], {
    error({ input }) {
      if (typeof input !== "string") return "an operator is needed, such as equals";
      if (onRecordTriggersOnly.has(input)) return `the operator "${input}" is for conditions of record triggers only`;
      return `unknown operator "${input}"${didYouMean(input, names)}`;
    },
  });
}

const operator = operatorOf(operators);
const eventOperator = operatorOf([...operators, ...changeOperators]);

const valueLeaf = z
  .strictObject({ left: z.json(), operator, right: z.json().optional() })
  .superRefine((leaf, context) => checkOther(leaf, "right", context));
const recordLeaf = z
  .strictObject({ field: z.string().min(1).max(200), operator, value: z.json().optional() })
  .superRefine((leaf, context) => checkOther(leaf, "value", context));
const eventLeaf = z
  .strictObject({ field: z.string().min(1).max(200), operator: eventOperator, value: z.json().optional() })
  .superRefine(({ operator: named, value }, context) => {
    // Of a change, `changed` asks no more than whether there is one; the others compare.
    if (named === "changed") checkOther({ operator: "isNotEmpty", value }, "value", context, named);
    else if (named === "changedFrom" || named === "became")
      checkOther({ operator: "equals", value }, "value", context, named);
    else checkOther({ operator: named, value }, "value", context);
  });

/** The other side is there where the operator needs one, and of the kind that it takes. */
function checkOther(
  leaf: { readonly operator: Operator; readonly right?: Json | undefined; readonly value?: Json | undefined },
  key: "right" | "value",
  context: z.core.$RefinementCtx,
  name: EventOperator = leaf.operator,
): void {
  const message = faultOfOther(leaf.operator, leaf[key], name);
  if (message === undefined) return;
  const isThere = leaf[key] !== undefined;
  context.addIssue({ code: "custom", path: isThere ? [key] : [], message: isThere ? message : `${message}: "${key}"` });
}

/** `all`, `any` and `not` around leaves. The keys of a node say which it is, so that only one of them speaks. */
function conditionOf<Node>(leaf: z.ZodType<Node>): z.ZodType<Node> {
  const self: z.ZodType<Node> = z.lazy(() => node);
  const group = z.array(self).max(100);
  const shapes: Readonly<Record<string, z.ZodType>> = {
    all: z.strictObject({ all: group }),
    any: z.strictObject({ any: group }),
    not: z.strictObject({ not: self }),
  };
  const node: z.ZodType<Node> = z.unknown().transform((source, context): Node => {
    const key = isJsonObject(source) ? Object.keys(shapes).find((name) => Object.hasOwn(source, name)) : undefined;
    const shape = (key === undefined ? leaf : shapes[key]) as z.ZodType<Node>;
    const parsed = shape.safeParse(source);
    return parsed.success ? parsed.data : passOn(parsed.error, shape, context);
  });
  return node;
}

export const conditionSchema: z.ZodType<Condition> = conditionOf<Condition>(valueLeaf);
/** Before expressions are evaluated a leaf's value may be any JSON. */
export const recordConditionSchema: z.ZodType<RecordCondition> = conditionOf<RecordCondition>(recordLeaf);
export const eventConditionSchema: z.ZodType<EventCondition> = conditionOf<EventCondition>(eventLeaf);

type Test = (evaluation: Evaluation) => boolean;

interface Compiling {
  readonly references: Reference[];
  readonly reads: PlacedRead[];
  readonly issues: Issue[];
}

/** Compiles a condition on values. `optional` is refused in it: a value left out would change its meaning. */
export function compileCondition(
  source: Condition,
  { at }: { readonly at: string },
): { readonly compiled: Compiled<boolean>; readonly issues: readonly Issue[] } {
  const compiling: Compiling = { references: [], reads: [], issues: [] };
  const evaluate = compileNode(source, at, compiling);
  const { references, reads, issues } = compiling;
  return { compiled: { references, reads, evaluate }, issues };
}

function compileNode(source: Condition, at: string, compiling: Compiling): Test {
  const each = (items: readonly Condition[], key: string): Test[] =>
    items.map((item, position) => compileNode(item, placeOf(placeOf(at, key), position), compiling));
  if ("all" in source) {
    const tests = each(source.all, "all");
    return (evaluation) => tests.every((test) => test(evaluation));
  }
  if ("any" in source) {
    const tests = each(source.any, "any");
    return (evaluation) => tests.some((test) => test(evaluation));
  }
  if ("not" in source) {
    const test = compileNode(source.not, placeOf(at, "not"), compiling);
    return (evaluation) => !test(evaluation);
  }
  return compileLeaf(source, at, compiling);
}

function compileLeaf(source: Extract<Condition, { left: Json }>, at: string, compiling: Compiling): Test {
  const side = (value: Json, key: string): Compiled => {
    const { compiled, issues } = compileValue(value, { at: placeOf(at, key), optional: "refused" });
    compiling.references.push(...compiled.references);
    const asked = unaryOperators.has(source.operator) ? { asksOnly: true as const } : {};
    compiling.reads.push(...compiled.reads.map((read) => ({ ...read, ...asked })));
    compiling.issues.push(...issues);
    return compiled;
  };
  const left = side(source.left, "left");
  const right = source.right === undefined ? undefined : side(source.right, "right");
  return (evaluation) => {
    const [a, b] = [left.evaluate(evaluation) ?? null, right?.evaluate(evaluation) ?? null];
    try {
      return matches(a, source.operator, b, evaluation);
    } catch (error) {
      if (!(error instanceof ValueFault)) throw error;
      throw new ExpressionError(at, error.message, { cause: error });
    }
  };
}
