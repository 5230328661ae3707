import type { Chain, Operand, Parts, Path, PathSegment, Test } from "./syntax.ts";

/** A path that is read from outside, and whether it may be missing. */
export interface Read {
  readonly path: readonly PathSegment[];
  readonly tolerant: boolean;
  readonly operand: Path;
  /** The expression that begins with it, where that means the same wherever it is evaluated: not inside a `for`. */
  readonly chain: Chain | undefined;
  /** It is only asked whether there is something: of a list none of its items is needed. */
  readonly asksOnly?: true;
}

/** Every path that these parts read, without the names that their own `for` makes. */
export function readsOf(parts: Parts): Read[] {
  const reads: Read[] = [];
  walkParts(parts, { reads, locals: new Set() });
  return reads;
}

/** Every expression in these parts, also those inside tags. */
export function chainsOf(parts: Parts): Chain[] {
  return parts.flatMap((part) => {
    if (typeof part === "string") return [];
    switch (part.kind) {
      case "chain":
        return [part];
      case "if":
        return [
          ...part.branches.flatMap(({ test, parts }) => [...chainsIn(test), ...chainsOf(parts)]),
          ...chainsOf(part.otherwise),
        ];
      case "for":
        return [part.list, ...chainsOf(part.parts), ...chainsOf(part.otherwise)];
      case "case":
        return [part.subject, ...part.branches.flatMap(({ parts }) => chainsOf(parts)), ...chainsOf(part.otherwise)];
    }
  });
}

function chainsIn(test: Test): Chain[] {
  switch (test.kind) {
    case "chain":
      return [test];
    case "not":
      return chainsIn(test.test);
    case "and":
    case "or":
      return [...chainsIn(test.left), ...chainsIn(test.right)];
    case "compare":
      return [];
  }
}

interface Walk {
  readonly reads: Read[];
  readonly locals: ReadonlySet<PathSegment>;
  /** Of the operand that is walked to. */
  readonly chain?: Chain | undefined;
  readonly asksOnly?: true;
}

function walkParts(parts: Parts, walk: Walk): void {
  for (const part of parts) {
    if (typeof part === "string") continue;
    switch (part.kind) {
      case "chain":
        walkChain(part, walk);
        break;
      case "if":
        for (const { test, parts } of part.branches) {
          walkTest(test, walk);
          walkParts(parts, walk);
        }
        walkParts(part.otherwise, walk);
        break;
      case "for":
        walkChain(part.list, walk);
        for (const operand of [part.limit, part.offset]) if (operand !== undefined) walkOperand(operand, false, walk);
        walkParts(part.parts, { ...walk, locals: new Set([...walk.locals, part.name, "forloop"]) });
        walkParts(part.otherwise, walk);
        break;
      case "case":
        walkChain(part.subject, walk);
        for (const { values, parts } of part.branches) {
          for (const value of values) walkOperand(value, false, walk);
          walkParts(parts, walk);
        }
        walkParts(part.otherwise, walk);
        break;
    }
  }
}

function walkTest(test: Test, walk: Walk): void {
  switch (test.kind) {
    case "chain":
      walkChain(test, test.filters.length === 0 ? { ...walk, asksOnly: true } : walk);
      break;
    case "not":
      walkTest(test.test, walk);
      break;
    case "and":
    case "or":
      walkTest(test.left, walk);
      walkTest(test.right, walk);
      break;
    case "compare":
      walkOperand(test.left, false, walk);
      walkOperand(test.right, false, walk);
      break;
  }
}

function walkChain(chain: Chain, walk: Walk): void {
  const { operand, filters } = chain;
  walkOperand(
    operand,
    filters.some(({ name }) => name === "default" || name === "optional"),
    { ...walk, chain: walk.locals.size === 0 ? chain : undefined },
  );
  for (const { name, args } of filters) for (const arg of args) walkOperand(arg, name === "default", walk);
}

function walkOperand(operand: Operand, tolerant: boolean, walk: Walk): void {
  if (operand.kind === "literal") return;
  const fixed: PathSegment[] = [];
  for (const segment of operand.segments) {
    if (typeof segment === "object") break;
    fixed.push(segment);
  }
  const within = { reads: walk.reads, locals: walk.locals };
  for (const segment of operand.segments) if (typeof segment === "object") walkOperand(segment, tolerant, within);
  const [root] = fixed;
  if (root === undefined || walk.locals.has(root)) return;
  if (root === "now" && operand.segments.length === 1) return;
  const asked = walk.asksOnly === true ? { asksOnly: true as const } : {};
  walk.reads.push({ path: fixed, tolerant, operand, chain: walk.chain, ...asked });
}
