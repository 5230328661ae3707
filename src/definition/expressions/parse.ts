import { Liquid, Output, toValueSync, type Template, type Value as LiquidValue } from "liquidjs";
import { z } from "zod";
import { didYouMean } from "../suggest.ts";
import { filterNames, filters, languageFilters } from "./filters.ts";
import type { Json } from "../../json.ts";

export type PathSegment = string | number;

/** A parsed `{{ … }}`: a first operand and the filters it goes through. */
export interface Chain {
  readonly operand: Operand;
  readonly filters: ReadonlyArray<{ readonly name: string; readonly args: readonly Operand[] }>;
}

export type Operand =
  | { readonly kind: "literal"; readonly value: Json }
  /** Segments are fixed, or paths themselves: `a[b.c]`. */
  | { readonly kind: "path"; readonly segments: ReadonlyArray<PathSegment | Operand> };

/** Text around expressions, or text with tags, which Liquid renders. */
export type Parsed =
  | { readonly kind: "parts"; readonly parts: ReadonlyArray<string | Chain> }
  | {
      readonly kind: "tags";
      readonly templates: Template[];
      readonly outputs: ReadonlyMap<Output, Chain>;
      readonly paths: ReadonlyArray<readonly PathSegment[]>;
    };

/** A fault found while parsing; the caller adds the place. */
export class SyntaxFault extends Error {
  override readonly name = "SyntaxFault";
}

const allowedTags = new Set(["for", "if", "case"]);

/** Liquid for its syntax and its tags. Paths, filters and escaping are ours. */
export const liquid = new Liquid({
  ownPropertyOnly: true,
  strictVariables: true,
  strictFilters: false,
  parseLimit: 1_100_000,
  renderLimit: 2_000,
  memoryLimit: 20_000_000,
});

/** Parses text that may hold expressions, and, where they are allowed, tags. Throws SyntaxFault. */
export function parse(source: string, { tags }: { tags: boolean }): Parsed {
  const templates = parseLiquid(source);
  const hasTags = templates.some((template) => !(template instanceof Output) && "name" in template);
  if (!hasTags) return { kind: "parts", parts: templates.map(partOf) };
  if (!tags) throw new SyntaxFault("tags ({% … %}) work in subject, text, html and markdown only");
  const outputs = new Map<Output, Chain>();
  collectOutputs(templates, outputs);
  return { kind: "tags", templates, outputs, paths: globalPaths(templates) };
}

/** Every path that is read from outside the template, without the names that its own `for` makes. */
function globalPaths(templates: Template[]): PathSegment[][] {
  const found = liquid.globalVariableSegmentsSync(templates);
  return found.map((segments) => {
    const dynamic = segments.findIndex((segment) => Array.isArray(segment));
    return (dynamic < 0 ? segments : segments.slice(0, dynamic)) as PathSegment[];
  });
}

function parseLiquid(source: string): Template[] {
  try {
    return liquid.parse(source);
  } catch (error) {
    const said = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new SyntaxFault(
      `${said.replace(/, line:1, col:(\d+)$/, " (at character $1)")}. An expression is written {{ path | filter: argument }}`,
    );
  }
}

function partOf(template: Template): string | Chain {
  if (template instanceof Output) return chainOf(template.value);
  const { str } = htmlTemplate.parse(template);
  return str;
}

/** Plain text between expressions: Liquid keeps it under `str`. */
const htmlTemplate = z.object({ str: z.string() });

function collectOutputs(templates: readonly Template[], outputs: Map<Output, Chain>): void {
  for (const template of templates) {
    if (template instanceof Output) outputs.set(template, chainOf(template.value));
    else if ("name" in template) {
      const name = String(template.name);
      if (!allowedTags.has(name))
        throw new SyntaxFault(`the tag "${name}" is not available; there are for, if and case`);
      const children =
        template.children === undefined ? [] : (toValueSync(template.children(false, true)) as Template[]);
      collectOutputs(children, outputs);
    }
  }
}

function chainOf(value: LiquidValue): Chain {
  const tokens = value.initial.postfix;
  if (tokens.length !== 1)
    throw new SyntaxFault(
      "an expression is one path and its filters: operators and several values are not available inside {{ }}",
    );
  return {
    operand: operandOf(tokens[0]),
    filters: value.filters.map((filter) => {
      checkFilter(filter.name, filter.args.length);
      const args = filter.args.map((arg) => {
        if (Array.isArray(arg)) throw new SyntaxFault(`the filter ${filter.name} takes no named arguments`);
        return operandOf(arg);
      });
      return { name: filter.name, args };
    }),
  };
}

function checkFilter(name: string, count: number): void {
  const isLanguage = (languageFilters as readonly string[]).includes(name);
  const known = Object.hasOwn(filters, name) ? filters[name] : undefined;
  if (!isLanguage && known === undefined)
    throw new SyntaxFault(`unknown filter "${name}"${didYouMean(name, filterNames)}`);
  const [fewest, most] = known?.takes ?? (name === "default" ? [1, 1] : [0, 0]);
  if (count < fewest || count > most) {
    const takes = fewest === most ? `${fewest}` : `${fewest} to ${most}`;
    throw new SyntaxFault(`the filter ${name} takes ${takes} argument${takes === "1" ? "" : "s"}, but has ${count}`);
  }
}

const token = z.union([
  z.object({ literal: z.enum(["true", "false", "nil", "null", "empty", "blank"]) }),
  z.object({ props: z.array(z.unknown()), variable: z.unknown().optional() }),
  z.object({ lhs: z.unknown(), rhs: z.unknown() }),
  z.object({ content: z.union([z.string(), z.number()]) }),
]);

const constants: Readonly<Record<string, Json>> = { true: true, false: false, nil: null, null: null };

function operandOf(source: unknown): Operand {
  const parsed = token.safeParse(source);
  if (!parsed.success) throw new SyntaxFault("this is neither a path nor a value");
  const found = parsed.data;
  if ("literal" in found) {
    const value = constants[found.literal];
    if (value === undefined) throw new SyntaxFault(`"${found.literal}" is not available; use isEmpty in a condition`);
    return { kind: "literal", value };
  }
  if ("props" in found) {
    if (found.variable !== undefined) throw new SyntaxFault("a path starts with a name");
    return { kind: "path", segments: found.props.map(segmentOf) };
  }
  if ("lhs" in found) throw new SyntaxFault("ranges (1..3) are not available inside {{ }}");
  return { kind: "literal", value: found.content };
}

function segmentOf(source: unknown): PathSegment | Operand {
  const operand = operandOf(source);
  if (operand.kind === "path") return operand;
  const { value } = operand;
  if (typeof value !== "string" && typeof value !== "number")
    throw new SyntaxFault("a path is made of names and positions");
  return value;
}
