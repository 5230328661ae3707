import { z } from "zod";
import { at as placeOf, type Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import { matches } from "./conditions/operators.ts";
import { compileValue, ExpressionError, type Compiled, type Evaluation, type Reference } from "./expressions.ts";
import { ValueFault } from "./expressions/values.ts";

/** Every operator of the one grammar, on values and on records alike. */
export const operators = [
  "equals",
  "notEquals",
  "greaterThan",
  "greaterThanOrEqual",
  "lessThan",
  "lessThanOrEqual",
  "contains",
  "notContains",
  "startsWith",
  "endsWith",
  "in",
  "notIn",
  "isEmpty",
  "isNotEmpty",
  "inLast",
  "inNext",
] as const;

export type Operator = (typeof operators)[number];

/** Operators that compare with nothing. */
export const unaryOperators: ReadonlySet<Operator> = new Set<Operator>(["isEmpty", "isNotEmpty"]);

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

const operator = z.enum(operators);
const json = z.json() as z.ZodType<Json>;

function needsOther(leaf: { operator: Operator }, other: unknown, name: string, context: z.core.$RefinementCtx): void {
  const unary = unaryOperators.has(leaf.operator);
  if (unary && other !== undefined)
    context.addIssue({ code: "custom", path: [name], message: `"${leaf.operator}" takes no "${name}"` });
  if (!unary && other === undefined)
    context.addIssue({ code: "custom", message: `"${leaf.operator}" needs "${name}"` });
}

const valueLeaf = z
  .strictObject({ left: json, operator, right: json.optional() })
  .superRefine((leaf, context) => needsOther(leaf, leaf.right, "right", context));
const recordLeaf = z
  .strictObject({ field: z.string().min(1).max(200), operator, value: json.optional() })
  .superRefine((leaf, context) => needsOther(leaf, leaf.value, "value", context));

/** `all`, `any` and `not` around leaves; the keys of a node say which of them it is. */
function groups<Leaf extends z.ZodType>(leaf: Leaf, self: () => z.ZodType) {
  const all = z.strictObject({ all: z.array(z.lazy(self)).max(100) });
  const any = z.strictObject({ any: z.array(z.lazy(self)).max(100) });
  const not = z.strictObject({ not: z.lazy(self) });
  return z.unknown().transform((node, context) => {
    const keys = isJsonObject(node) ? Object.keys(node) : [];
    const shape = keys.includes("all") ? all : keys.includes("any") ? any : keys.includes("not") ? not : leaf;
    const parsed = shape.safeParse(node);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues)
      context.addIssue({ code: "custom", path: issue.path, message: issue.message });
    return z.NEVER;
  });
}

export const conditionSchema = groups(valueLeaf, () => conditionSchema) as unknown as z.ZodType<Condition>;
export const recordConditionSchema = groups(
  recordLeaf,
  () => recordConditionSchema,
) as unknown as z.ZodType<RecordCondition>;

type Test = (evaluation: Evaluation) => boolean;

/** Compiles a condition on values. `optional` is refused in it: a value left out would change its meaning. */
export function compileCondition(
  source: Condition,
  { at }: { at: string },
): { readonly compiled: Compiled<boolean>; readonly issues: readonly Issue[] } {
  const references: Reference[] = [];
  const issues: Issue[] = [];
  const evaluate = compileNode(source, at, { references, issues });
  return { compiled: { references, evaluate }, issues };
}

function compileNode(source: Condition, at: string, into: { references: Reference[]; issues: Issue[] }): Test {
  if ("all" in source) {
    const tests = source.all.map((item, i) => compileNode(item, placeOf(placeOf(at, "all"), i), into));
    return (evaluation) => tests.every((test) => test(evaluation));
  }
  if ("any" in source) {
    const tests = source.any.map((item, i) => compileNode(item, placeOf(placeOf(at, "any"), i), into));
    return (evaluation) => tests.some((test) => test(evaluation));
  }
  if ("not" in source) {
    const test = compileNode(source.not, placeOf(at, "not"), into);
    return (evaluation) => !test(evaluation);
  }
  return compileLeaf(source, at, into);
}

function compileLeaf(
  source: Extract<Condition, { left: Json }>,
  at: string,
  into: { references: Reference[]; issues: Issue[] },
): Test {
  const side = (value: Json, key: string) => {
    const { compiled, issues } = compileValue(value, { at: placeOf(at, key), optional: "refused" });
    into.references.push(...compiled.references);
    into.issues.push(...issues);
    return compiled;
  };
  const left = side(source.left, "left");
  const right = source.right === undefined ? undefined : side(source.right, "right");
  return (evaluation) => {
    const [a, b] = [left.evaluate(evaluation) ?? null, right?.evaluate(evaluation) ?? null];
    try {
      return matches(a, source.operator, b, evaluation);
    } catch (error) {
      if (error instanceof ValueFault) throw new ExpressionError(at, error.message, { cause: error });
      throw error;
    }
  };
}
