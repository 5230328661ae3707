import { didYouMean } from "../../../definition/suggest.ts";

/** Parts of a request that a sender may sign. */
export const contentParts = ["body", "timestamp", "id", "method", "url"] as const;
export type ContentPart = (typeof contentParts)[number];

/** What is signed: literal texts and parts of the request, in turns. */
export type Content = ReadonlyArray<{ readonly text: string } | { readonly part: ContentPart }>;

/** `{timestamp}.{body}` as its pieces. Throws an Error that names an unknown part. */
export function parseContent(template: string): Content {
  return template.split(/(\{\w*\})/).flatMap((piece): Content => {
    const name = /^\{(\w*)\}$/.exec(piece)?.[1];
    if (name === undefined) return piece === "" ? [] : [{ text: piece }];
    const part = contentParts.find((known) => known === name);
    if (part === undefined) throw new Error(`unknown part "{${name}}"${didYouMean(name, contentParts)}`);
    return [{ part }];
  });
}

/** What is wrong with a template beside what it is told with. */
export function templateFaults(given: {
  readonly content: string;
  readonly timestamp?: object | undefined;
  readonly id?: object | undefined;
}): string[] {
  let content: Content;
  try {
    content = parseContent(given.content);
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
  const count = (part: ContentPart): number => content.filter((piece) => "part" in piece && piece.part === part).length;
  const faults: string[] = [];
  if (count("body") !== 1)
    faults.push("must hold {body} once, also where it is empty: what is not signed can be changed by anybody");
  for (const part of ["timestamp", "id"] as const) {
    if (given[part] === undefined && count(part) > 0) faults.push(`{${part}} needs \`${part}: { header: … }\``);
    if (given[part] !== undefined && count(part) !== 1)
      faults.push(`must hold {${part}} once, as \`${part}\` is given: what is not signed can be changed by anybody`);
  }
  if (count("id") > 0 && idEnd(content) === "")
    faults.push("{id} needs a text behind it, such as a dot: else its end could be moved");
  return faults;
}

/** The text that stands right behind `{id}`: an id that holds it could be read in two ways. Empty: none. */
export function idEnd(content: Content): string {
  const place = content.findIndex((piece) => "part" in piece && piece.part === "id");
  const next = content[place + 1];
  if (place === -1 || next === undefined || !("text" in next)) return "";
  return next.text;
}

/** The signed bytes, piece by piece. The body is taken as it came, never as text. */
export function contentBytes(content: Content, parts: Readonly<Record<ContentPart, string | Buffer>>): Buffer {
  return Buffer.concat(content.map((piece) => bytesOf("text" in piece ? piece.text : parts[piece.part])));
}

function bytesOf(piece: string | Buffer): Buffer {
  return typeof piece === "string" ? Buffer.from(piece) : piece;
}
