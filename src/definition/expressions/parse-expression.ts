import { Liquid, TypeGuards, Value as LiquidValue, type Token } from "liquidjs";
import { didYouMean } from "../suggest.ts";
import { filterNames, filters, languageFilters } from "./filters.ts";
import {
  comparisons,
  SyntaxFault,
  writeOperand,
  type Chain,
  type Operand,
  type Path,
  type PathSegment,
  type Test,
} from "./syntax.ts";

/** Liquid for its syntax alone: what expressions mean is ours. */
const liquid = new Liquid({ strictFilters: false });

/** More than anybody writes, and few enough that each costs nothing to read. */
const most = { characters: 10_000, segments: 32, filters: 32, operators: 32 };

/** Reads what stands in `{{ … }}`, or as a value in a tag. Throws SyntaxFault. */
export function parseChain(source: string): Chain {
  const test = parseTest(source);
  if (test.kind === "chain") return test;
  throw new SyntaxFault(
    `operators are not available inside {{ }}: {{ ${shorten(source)} }}. Use a filter, a condition or a branch`,
  );
}

/** Reads one value without filters. Throws SyntaxFault. */
export function parseOperand(source: string): Operand {
  const { operand, filters } = parseChain(source);
  if (filters.length > 0) throw new SyntaxFault(`filters are not available here: ${shorten(source)}`);
  return operand;
}

/** Reads what an `if` asks: one value with filters, or values and operators. Throws SyntaxFault. */
export function parseTest(source: string): Test {
  const value = readValue(source);
  const filters = value.filters.map((filter) => {
    checkFilter(filter.name, filter.args.length);
    const args = filter.args.map((arg) => {
      if (Array.isArray(arg)) throw new SyntaxFault(`the filter ${filter.name} takes no named arguments`);
      return operandOf(arg);
    });
    return { name: filter.name, args };
  });
  const test = testOf(value.initial.postfix, source);
  if (test.kind === "chain") return { ...test, filters };
  if (filters.length > 0) throw new SyntaxFault(`filters and operators cannot stand together: ${shorten(source)}`);
  return test;
}

function readValue(source: string): LiquidValue {
  if (source.trim() === "") throw new SyntaxFault("an expression is empty; {{ path | filter: argument }} is expected");
  if (source.length > most.characters)
    throw new SyntaxFault(`an expression is longer than ${most.characters} characters`);
  let value: LiquidValue;
  try {
    value = new LiquidValue(source, liquid);
  } catch (error) {
    const said = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw cannotBeRead(source, said.replace(/, line:\d+, col:\d+$/, ""));
  }
  if (value.filters.length > most.filters) throw new SyntaxFault(`an expression has more than ${most.filters} filters`);
  if (squeeze(source) !== squeeze(rewrite(value))) throw cannotBeRead(source, "a part of it means nothing");
  return value;
}

function cannotBeRead(source: string, why: string): SyntaxFault {
  return new SyntaxFault(
    `${shorten(source)} cannot be read: ${why}. An expression is one path and its filters: {{ path | filter: argument }}`,
  );
}

/** What was understood, as written: Liquid passes over what it does not know. */
function rewrite({ initial, filters }: LiquidValue): string {
  const values = initial.postfix.toSorted((a, b) => a.begin - b.begin).map((token) => token.getText());
  const tail = filters.map(({ name, args }) => {
    const written = args.map((arg) => (Array.isArray(arg) ? `${arg[0]}:${arg[1]?.getText()}` : arg.getText()));
    return written.length === 0 ? `|${name}` : `|${name}:${written.join(",")}`;
  });
  return [...values, ...tail].join("");
}

function squeeze(text: string): string {
  return text.replace(/\s+/g, "");
}

function shorten(source: string): string {
  const text = source.trim().replace(/\s+/g, " ");
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Liquid's operators stand after what they take. */
function testOf(postfix: readonly Token[], source: string): Test {
  const stack: Test[] = [];
  if (postfix.length > 2 * most.operators) throw new SyntaxFault("an expression has too many operators");
  for (const token of postfix) {
    if (!TypeGuards.isOperatorToken(token)) {
      stack.push({ kind: "chain", operand: operandOf(token), filters: [] });
      continue;
    }
    const { operator } = token;
    const right = stack.pop();
    const left = operator === "not" ? right : stack.pop();
    if (left === undefined || right === undefined)
      throw new SyntaxFault(`"${operator}" lacks a value: ${shorten(source)}`);
    if (operator === "not") stack.push({ kind: "not", test: right });
    else if (operator === "and" || operator === "or") stack.push({ kind: operator, left, right });
    else if (left.kind === "chain" && right.kind === "chain")
      stack.push({
        kind: "compare",
        operator: comparisons[operator],
        left: left.operand,
        right: right.operand,
      });
    else throw new SyntaxFault(`"${operator}" compares two values: ${shorten(source)}`);
  }
  const [test, ...others] = stack;
  if (test === undefined || others.length > 0) throw cannotBeRead(source, "several values stand side by side");
  return test;
}

function checkFilter(name: string, count: number): void {
  const known = Object.hasOwn(filters, name)
    ? filters[name]
    : Object.hasOwn(languageFilters, name)
      ? languageFilters[name]
      : undefined;
  if (known === undefined) throw new SyntaxFault(`unknown filter "${name}"${didYouMean(name, filterNames)}`);
  const [fewest, most] = known.takes;
  if (count >= fewest && count <= most) return;
  const takes = fewest === most ? String(fewest) : `${fewest} to ${most}`;
  throw new SyntaxFault(`the filter ${name} takes ${takes} argument${takes === "1" ? "" : "s"}, but has ${count}`);
}

function operandOf(token: Token): Operand {
  if (TypeGuards.isPropertyAccessToken(token)) return pathOf(token.variable, token.props, token.getText());
  if (TypeGuards.isQuotedToken(token)) return { kind: "literal", value: token.content };
  if (TypeGuards.isNumberToken(token)) return { kind: "literal", value: literalNumber(token.content, token.getText()) };
  if (TypeGuards.isLiteralToken(token)) {
    if (token.literal === "true" || token.literal === "false")
      return { kind: "literal", value: token.literal === "true" };
    if (token.literal === "nil" || token.literal === "null") return { kind: "literal", value: null };
    throw new SyntaxFault(`"${token.literal}" is not available; compare with '', or use "isEmpty" in a condition`);
  }
  if (TypeGuards.isRangeToken(token)) throw new SyntaxFault(`ranges such as ${token.getText()} are not available`);
  throw new SyntaxFault(`${shorten(token.getText())} is neither a path nor a value`);
}

function literalNumber(value: number, written: string): number {
  if (Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value;
  throw new SyntaxFault(`the number ${shorten(written)} cannot be kept exactly; write it in quotes`);
}

function pathOf(start: Token | undefined, props: readonly Token[], written: string): Path {
  if (start !== undefined || props[0] === undefined || !TypeGuards.isWordToken(props[0]))
    throw new SyntaxFault(`a path starts with a name, which ${shorten(written)} does not`);
  if (/^\.|\.$|\.\[/.test(written)) throw new SyntaxFault(`the path ${shorten(written)} has a stray "."`);
  if (props.length > most.segments) throw new SyntaxFault(`a path has more than ${most.segments} parts`);
  const segments = props.map(segmentOf);
  const isFixed = (segment: PathSegment | Path): segment is PathSegment => typeof segment !== "object";
  return { kind: "path", segments, fixed: segments.every(isFixed) ? segments : undefined };
}

function segmentOf(token: Token): PathSegment | Path {
  if (TypeGuards.isWordToken(token)) return token.content;
  const operand = operandOf(token);
  if (operand.kind === "path") return operand;
  if (typeof operand.value === "string" || typeof operand.value === "number") return operand.value;
  throw new SyntaxFault(`a path is made of names and positions, not of ${writeOperand(operand)}`);
}
