import type { Json } from "../../json.ts";
import { matches } from "../conditions/operators.ts";
import { asText, checkWhole, escapeFor, type Place } from "./escape.ts";
import { evaluateChain, presentValue, type Scope } from "./evaluate.ts";
import { wholeNumber } from "./numbers.ts";
import {
  writeOperand,
  type CaseTag,
  type Chain,
  type ForTag,
  type IfTag,
  type Operand,
  type Parts,
  type Test,
} from "./syntax.ts";
import { checkLength, limited, list, MissingFault } from "./values.ts";

interface Rendering {
  readonly place: Place;
  readonly pieces: string[];
  length: number;
}

/** Text with its expressions and tags evaluated, each expression escaped for the place. Throws ValueFault. */
export function render(parts: Parts, place: Place, scope: Scope): string {
  if (place === "address") return renderAddress(parts, scope);
  const rendering: Rendering = { place, pieces: [], length: 0 };
  renderParts(parts, rendering, scope);
  const text = limited(rendering.pieces.join(""));
  checkWhole(place, text);
  return text;
}

/** What stands at its beginning is a URL already: encoded, it would be none. */
function renderAddress([first, ...rest]: Parts, scope: Scope): string {
  if (first === undefined || typeof first === "string" || first.kind !== "chain")
    return render(first === undefined ? [] : [first, ...rest], "url", scope);
  return limited(
    renderChain(first, "data", { ...scope, place: "data" }) + render(rest, "url", { ...scope, place: "url" }),
  );
}

function renderParts(parts: Parts, rendering: Rendering, scope: Scope): void {
  for (const part of parts) {
    if (typeof part === "string") emit(part, rendering);
    else if (part.kind === "chain") emit(renderChain(part, rendering.place, scope), rendering);
    else if (part.kind === "if") renderIf(part, rendering, scope);
    else if (part.kind === "for") renderFor(part, rendering, scope);
    else renderCase(part, rendering, scope);
  }
}

function emit(text: string, rendering: Rendering): void {
  rendering.length += text.length;
  checkLength(rendering.length);
  rendering.pieces.push(text);
}

function renderChain(chain: Chain, place: Place, scope: Scope): string {
  scope.spend(1);
  const value = evaluateChain(chain, scope);
  const name = writeOperand(chain.operand);
  if (value === undefined) throw new MissingFault(name);
  const isRaw = chain.filters.some((filter) => filter.name === "raw");
  return escapeFor(place, asText(value, name), isRaw);
}

function renderIf({ branches, otherwise }: IfTag, rendering: Rendering, scope: Scope): void {
  const taken = branches.find(({ test }) => holds(test, scope));
  renderParts(taken?.parts ?? otherwise, rendering, scope);
}

/** Null and false do not hold, everything else does, as in Liquid. */
function holds(test: Test, scope: Scope): boolean {
  switch (test.kind) {
    case "chain": {
      const value = evaluateChain(test, scope);
      return value !== undefined && value !== null && value !== false;
    }
    case "compare":
      return compare(test, scope);
    case "and":
      return holds(test.left, scope) && holds(test.right, scope);
    case "or":
      return holds(test.left, scope) || holds(test.right, scope);
    case "not":
      return !holds(test.test, scope);
  }
}

function compare({ operator, left, right }: Extract<Test, { kind: "compare" }>, scope: Scope): boolean {
  return matches(presentValue(left, scope), operator, presentValue(right, scope), scope);
}

function renderCase({ subject, branches, otherwise }: CaseTag, rendering: Rendering, scope: Scope): void {
  const value = evaluateChain(subject, scope) ?? null;
  const taken = branches.find(({ values }) =>
    values.some((wanted) => matches(value, "equals", presentValue(wanted, scope), scope)),
  );
  renderParts(taken?.parts ?? otherwise, rendering, scope);
}

function renderFor(tag: ForTag, rendering: Rendering, scope: Scope): void {
  const items = itemsOf(tag, scope);
  if (items.length === 0) return renderParts(tag.otherwise, rendering, scope);
  for (const [index, item] of items.entries()) {
    scope.spend(4);
    const values = { forloop: positionOf(index, items.length), [tag.name]: item };
    renderParts(tag.parts, rendering, { ...scope, locals: { values, outer: scope.locals } });
  }
}

function itemsOf({ list: chain, limit, offset, reversed }: ForTag, scope: Scope): readonly Json[] {
  const all = list(evaluateChain(chain, scope), "for");
  const count = (operand: Operand | undefined, otherwise: number): number =>
    operand === undefined ? otherwise : wholeNumber(presentValue(operand, scope), "for", [0, 1_000_000_000]);
  const start = count(offset, 0);
  const items = all.slice(start, start + count(limit, all.length));
  return reversed ? items.toReversed() : items;
}

/** What Liquid calls `forloop`. */
function positionOf(index: number, length: number): Json {
  return {
    index: index + 1,
    index0: index,
    rindex: length - index,
    rindex0: length - index - 1,
    first: index === 0,
    last: index === length - 1,
    length,
  };
}
