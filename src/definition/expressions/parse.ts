import { Tokenizer, TypeGuards, type TagToken } from "liquidjs";
import { parseChain, parseOperand, parseTest } from "./parse-expression.ts";
import { SyntaxFault, type CaseTag, type ForTag, type IfTag, type Operand, type Parts, type Tag } from "./syntax.ts";

/** How deep tags may lie in one another. */
const deepest = 16;

type Token = ReturnType<Tokenizer["readTopLevelTokens"]>[number];

/** The tokens of a text, read from left to right. */
interface Reader {
  readonly tags: boolean;
  next(): Token | undefined;
}

/**
 * Parses text that may hold expressions and, where they are allowed, tags. Liquid cuts the text into
 * pieces and reads expressions; what its tags hold is kept as data, so that all of it is evaluated by
 * the same rules. Throws SyntaxFault.
 */
export function parse(source: string, { tags }: { readonly tags: boolean }): Parts {
  const tokens = tokenize(source).values();
  const reader: Reader = { tags, next: () => tokens.next().value };
  const { parts, end } = readParts(reader, 0);
  if (end !== undefined) throw new SyntaxFault(`{% ${end.name} %} stands where nothing is open`);
  return parts;
}

function tokenize(source: string): Token[] {
  try {
    return new Tokenizer(source).readTopLevelTokens();
  } catch (error) {
    const said = error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
    throw new SyntaxFault(
      said.replace(/, line:(\d+), col:(\d+)$/, (_, line: string, column: string) => ` (${placeIn(line, column)})`),
    );
  }
}

function placeIn(line: string, column: string): string {
  return line === "1" ? `at character ${column}` : `in line ${line}, at character ${column}`;
}

/** Tags that divide or end a block. */
const inner: ReadonlySet<string> = new Set(["elsif", "else", "when", "endif", "endfor", "endcase"]);

/** Reads up to a tag that divides or ends the block, which is given back. */
function readParts(reader: Reader, depth: number): { readonly parts: Parts; readonly end: TagToken | undefined } {
  const parts: Array<Parts[number]> = [];
  for (let token = reader.next(); token !== undefined; token = reader.next()) {
    if (TypeGuards.isHTMLToken(token)) parts.push(token.getContent());
    else if (!TypeGuards.isTagToken(token)) parts.push(parseChain(token.content));
    else if (!reader.tags) throw new SyntaxFault("tags ({% … %}) work in subject, text, html and markdown only");
    else if (inner.has(token.name)) return { parts, end: token };
    else parts.push(readTag(token, reader, depth + 1));
  }
  return { parts, end: undefined };
}

function readTag(token: TagToken, reader: Reader, depth: number): Tag {
  if (depth > deepest) throw new SyntaxFault(`tags lie more than ${deepest} deep in one another`);
  switch (token.name) {
    case "if":
      return readIf(token, reader, depth);
    case "for":
      return readFor(token, reader, depth);
    case "case":
      return readCase(token, reader, depth);
    default:
      throw new SyntaxFault(`the tag "${token.name.slice(0, 40)}" is not available; there are if, for and case`);
  }
}

function readIf(token: TagToken, reader: Reader, depth: number): IfTag {
  const branches: Array<IfTag["branches"][number]> = [];
  let open = token;
  for (;;) {
    const test = parseTest(open.args);
    const { parts, end } = readParts(reader, depth);
    branches.push({ test, parts });
    if (end?.name === "elsif") open = end;
    else if (end?.name === "else") return { kind: "if", branches, otherwise: readElse(end, "if", reader, depth) };
    else return { kind: "if", branches, otherwise: closed(end, "if", []) };
  }
}

function readElse(token: TagToken, opened: string, reader: Reader, depth: number): Parts {
  if (token.args.trim() !== "") throw new SyntaxFault(`{% else %} takes nothing: ${token.getText().slice(0, 60)}`);
  const { parts, end } = readParts(reader, depth);
  return closed(end, opened, parts);
}

function closed(end: TagToken | undefined, opened: string, parts: Parts): Parts {
  if (end?.name === `end${opened}` && end.args.trim() === "") return parts;
  const found = end === undefined ? "the text ends" : `{% ${end.name} %} comes`;
  throw new SyntaxFault(`{% ${opened} %} is not closed: ${found} where {% end${opened} %} is expected`);
}

/** `item in list limit: 2 offset: 1 reversed`; or with filters, which then end it. */
function readFor(token: TagToken, reader: Reader, depth: number): ForTag {
  const [, name, rest] = /^\s*([A-Za-z_]\w*)\s+in\s+(\S[\s\S]*)$/.exec(token.args) ?? [];
  if (name === undefined || rest === undefined)
    throw new SyntaxFault(`{% for %} is written {% for item in list %}, not ${token.getText().slice(0, 60)}`);
  const head = rest.includes("|") ? { list: rest, limit: undefined, offset: undefined, reversed: false } : headOf(rest);
  const list = parseChain(head.list);
  const { parts, end } = readParts(reader, depth);
  const otherwise = end?.name === "else" ? readElse(end, "for", reader, depth) : closed(end, "for", []);
  return { ...head, kind: "for", name, list, parts, otherwise };
}

function headOf(rest: string): Pick<ForTag, "limit" | "offset" | "reversed"> & { list: string } {
  const [list = "", ...words] = rest
    .replace(/\s*:\s*/g, ":")
    .trim()
    .split(/[\s,]+/);
  const given: { limit?: Operand; offset?: Operand } = {};
  let reversed = false;
  for (const word of words) {
    const [, key, value] = /^(limit|offset):(.+)$/.exec(word) ?? [];
    if (word === "reversed") reversed = true;
    else if ((key === "limit" || key === "offset") && value !== undefined) given[key] = parseOperand(value);
    else throw new SyntaxFault(`{% for %} knows limit, offset and reversed, not "${word.slice(0, 40)}"`);
  }
  return { list, limit: given.limit, offset: given.offset, reversed };
}

function readCase(token: TagToken, reader: Reader, depth: number): CaseTag {
  const subject = parseChain(token.args);
  const branches: Array<CaseTag["branches"][number]> = [];
  const before = readParts(reader, depth);
  if (before.parts.some((part) => typeof part !== "string" || part.trim() !== ""))
    throw new SyntaxFault("between {% case %} and the first {% when %} stands nothing");
  let { end } = before;
  while (end?.name === "when") {
    const values = splitValues(end.args).map(parseOperand);
    const block = readParts(reader, depth);
    branches.push({ values, parts: block.parts });
    end = block.end;
  }
  const otherwise = end?.name === "else" ? readElse(end, "case", reader, depth) : closed(end, "case", []);
  return { kind: "case", subject, branches, otherwise };
}

/** `'a', b or 3`, cut at commas and `or` outside quotes. */
function splitValues(args: string): string[] {
  const pieces = args.match(/"[^"]*"|'[^']*'|,|[^\s,"']+/g) ?? [];
  const values = [""];
  for (const piece of pieces) {
    if (piece === "," || piece === "or") values.push("");
    else values[values.length - 1] += ` ${piece}`;
  }
  return values;
}
