import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { projectRoot } from "../../src/config.ts";

/** A code that stands in the source, and where. */
export interface FoundCode {
  readonly code: string;
  /** What carries it: a step's error, a request's refusal, or something else that has a `code`. */
  readonly of: "step" | "request" | "other";
  readonly file: string;
}

/** What passes on a code that stands elsewhere. */
const passedOn = /^(code|status|[a-z]+\.code|statuses\[[a-z.]+\].*)$/;

/** Every code in src. Throws where a code is given in a way that cannot be read. */
export async function findCodes(): Promise<FoundCode[]> {
  const found: FoundCode[] = [];
  for (const path of await sources()) {
    const text = withoutComments(await readFile(path, "utf8"));
    const file = relative(projectRoot, path);
    const add = (of: FoundCode["of"], expression: string): void => {
      const codes = codesIn(expression);
      if (codes.length === 0 && !passedOn.test(expression.trim()))
        throw new Error(`${file}: which codes can ${expression.trim()} be? Write them out, or pass on \`code\`.`);
      found.push(...codes.map((code) => ({ code, of, file })));
    };
    for (const [first] of callsOf(text, "new StepError")) add("step", first ?? "");
    for (const [, second] of callsOf(text, "new ProblemError")) add("request", second ?? "");
    for (const [, value = ""] of text.matchAll(/\bcode\b(?:\?)?(?: =|:)\s*((?:\|?\s*"[^"]*"\s*)+|`[^`]*`)/g))
      found.push(...codesIn(value).map((code) => ({ code, of: "other" as const, file })));
    // As SQL makes an error.
    for (const [, code = ""] of text.matchAll(/'code', '([a-z-]+)'/g)) found.push({ code, of: "other", file });
  }
  return found;
}

/** Codes of which a part is put in: what that part can be. */
const templates: Readonly<Record<string, readonly string[]>> = {
  "workflow-${state.as}": ["workflow-terminated", "workflow-failed", "workflow-timed-out", "workflow-completed"],
};

function codesIn(expression: string): string[] {
  const written = [...expression.matchAll(/"([^"]*)"/g)].map(([, code]) => code!);
  const made = [...expression.matchAll(/`([^`]*)`/g)].flatMap(([, template]) => {
    const codes = templates[template!];
    if (codes === undefined) throw new Error(`test/docs/error-codes.ts does not know what \`${template}\` can be.`);
    return codes;
  });
  return [...written, ...made].filter((code) => /^[a-z]+(-[a-z]+)*$/.test(code));
}

/** The arguments of each call, as they are written. */
function* callsOf(text: string, name: string): Generator<string[]> {
  for (let at = text.indexOf(`${name}(`); at >= 0; at = text.indexOf(`${name}(`, at + 1))
    yield argumentsAt(text, at + name.length + 1);
}

function argumentsAt(text: string, from: number): string[] {
  const written: string[] = [];
  let [depth, start, quote] = [0, from, ""];
  for (let at = from; at < text.length; at++) {
    const letter = text[at]!;
    if (quote !== "") {
      if (letter === "\\") at += 1;
      else if (letter === quote) quote = "";
    } else if (`"'\``.includes(letter)) quote = letter;
    else if ("([{".includes(letter)) depth += 1;
    else if (depth === 0 && (letter === "," || letter === ")")) {
      written.push(text.slice(start, at));
      if (letter === ")") return written;
      start = at + 1;
    } else if (")]}".includes(letter)) depth -= 1;
  }
  return written;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

async function sources(): Promise<string[]> {
  const entries = await readdir(join(projectRoot, "src"), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}
