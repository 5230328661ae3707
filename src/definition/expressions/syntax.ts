import type { Json } from "../../json.ts";

export type PathSegment = string | number;

export type Operand = Literal | Path;

export interface Literal {
  readonly kind: "literal";
  readonly value: Json;
}

export interface Path {
  readonly kind: "path";
  /** Fixed, or operands themselves: `a[b.c]`. */
  readonly segments: ReadonlyArray<PathSegment | Path>;
  /** The same where every segment is fixed. */
  readonly fixed: readonly PathSegment[] | undefined;
}

/** One expression: a first operand and the filters that it goes through. */
export interface Chain {
  readonly kind: "chain";
  readonly operand: Operand;
  readonly filters: ReadonlyArray<{ readonly name: string; readonly args: readonly Operand[] }>;
}

/** What an `if` asks: whether a value is there and not false, or a comparison, or several of them. */
export type Test =
  | Chain
  | { readonly kind: "compare"; readonly operator: Comparison; readonly left: Operand; readonly right: Operand }
  | { readonly kind: "and" | "or"; readonly left: Test; readonly right: Test }
  | { readonly kind: "not"; readonly test: Test };

export const comparisons = {
  "==": "equals",
  "!=": "notEquals",
  ">": "greaterThan",
  "<": "lessThan",
  ">=": "greaterThanOrEqual",
  "<=": "lessThanOrEqual",
  contains: "contains",
} as const;

export type Comparison = (typeof comparisons)[keyof typeof comparisons];

export type Tag = IfTag | ForTag | CaseTag;

export interface IfTag {
  readonly kind: "if";
  readonly branches: ReadonlyArray<{ readonly test: Test; readonly parts: Parts }>;
  readonly otherwise: Parts;
}

export interface ForTag {
  readonly kind: "for";
  /** The name that each item has inside. */
  readonly name: string;
  readonly list: Chain;
  readonly limit: Operand | undefined;
  readonly offset: Operand | undefined;
  readonly reversed: boolean;
  readonly parts: Parts;
  /** For an empty list. */
  readonly otherwise: Parts;
}

export interface CaseTag {
  readonly kind: "case";
  readonly subject: Chain;
  readonly branches: ReadonlyArray<{ readonly values: readonly Operand[]; readonly parts: Parts }>;
  readonly otherwise: Parts;
}

/** Text, expressions and tags, in order. */
export type Parts = ReadonlyArray<string | Chain | Tag>;

/** A fault found while parsing; the caller adds the place. */
export class SyntaxFault extends Error {
  override readonly name = "SyntaxFault";
}

/** A path as people write it. */
export function writeOperand(operand: Operand): string {
  if (operand.kind === "literal") return JSON.stringify(operand.value);
  return operand.segments
    .map((segment, position) => {
      if (typeof segment === "object") return `[${writeOperand(segment)}]`;
      if (typeof segment === "number") return `[${segment}]`;
      if (!/^[\w-]+$/.test(segment)) return `[${JSON.stringify(segment)}]`;
      return position === 0 ? segment : `.${segment}`;
    })
    .join("");
}
