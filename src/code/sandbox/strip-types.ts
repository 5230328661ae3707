import { transformSync } from "amaro";
import type { SourceFault, SourcePlace } from "../protocol.ts";

/** TypeScript without its types, every line and column where it was. Throws what `readFault` understands. */
export function stripTypes(source: string): string {
  return transformSync(source, { mode: "strip-only" }).code;
}

/**
 * What a thrown value says of the source; undefined where it says nothing, since the parser itself broke:
 * it is not to be used again.
 */
export function readFault(thrown: unknown, source: string): SourceFault | undefined {
  // The parser throws its report as text: a sentence, a piece of the source, carets under the place.
  if (typeof thrown !== "string") return undefined;
  const [, sentence = "Syntax error"] = /^\s*x (.+)$/m.exec(thrown) ?? [];
  const place = readPlace(thrown, source);
  return { message: explain(sentence), ...(place === undefined ? {} : { place }) };
}

const tabWidth = 4;

/** The carets' line follows the numbered line that they are under. */
function readPlace(report: string, source: string): SourcePlace | undefined {
  const [, number = "", carets = ""] = /^ *(\d+) \|[^\n]*\n *: ([ ^]*\^)/m.exec(report) ?? [];
  if (number === "") return undefined;
  const text = source.split("\n")[Number(number) - 1] ?? "";
  const width = carets.indexOf("^");
  let column = 0;
  for (let shown = 0; shown < width && column < text.length; column++) shown += text[column] === "\t" ? tabWidth : 1;
  return { line: Number(number), column: column + 1 };
}

const unavailable: ReadonlyArray<readonly [RegExp, string]> = [
  [/enum/, `an enum is more than a type; write an object instead: const Color = { red: "red" }`],
  [/namespace|module declaration/, "a namespace is more than a type; write plain functions and objects instead"],
  [/parameter property/, "a parameter property is more than a type; write this.x = x in the constructor"],
  [/import equals|export assignment/, `"import =" and "export =" are not available; code imports nothing`],
];

function explain(sentence: string): string {
  if (!sentence.includes("strip-only")) return sentence;
  const [, advice] = unavailable.find(([pattern]) => pattern.test(sentence)) ?? [];
  return advice ?? sentence.replace(" in strip-only mode", ": types are taken out, and nothing else is changed");
}
