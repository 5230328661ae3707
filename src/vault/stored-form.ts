import { StepError } from "../errors.ts";
import { escapeFor, type SecretMarks, type SecretPart } from "../definition/expressions.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createMatcher } from "./matcher.ts";
import { shortestRedacted } from "./redactor.ts";

/** The key of what stands for a text that holds secrets: `{ "$secret": ["Bearer ", { name, place }] }`. */
const reference = "$secret";

/** A key that would be read as a reference, however often it was written for one. */
const alike = /^\$+secret$/;

/** What is to be sent with its marks made references: this is stored, and holds no value of a secret. */
export function storedForm(value: Json, marks: SecretMarks): Json {
  return mapTexts(value, (text) => {
    const parts = marks.split(text);
    return parts === undefined ? text : referenceOf(parts);
  });
}

/** Names of the secrets that a stored form refers to. */
export function secretsIn(stored: Json): string[] {
  const names = new Set<string>();
  walk(stored, (parts) => {
    for (const part of parts) if (typeof part === "object") names.add(part.name);
    return "";
  });
  return [...names];
}

/** What is sent: a stored form with the values put in, each encoded for its place. Throws StepError. */
export function openForm(stored: Json, values: ReadonlyMap<string, string>): Json {
  return walk(stored, (parts) =>
    parts.map((part) => (typeof part === "string" ? part : valueFor(part, values))).join(""),
  );
}

/**
 * What is to be stored with the values of secrets made references again: as they are, and as a URL holds
 * them. So what a target gave back, such as the address of its next page, can be gone on from.
 */
export function withReferences(value: Json, values: ReadonlyMap<string, string>): Json {
  const forms = new Map<string, SecretPart>();
  for (const [name, text] of values) {
    if (text.length < shortestRedacted) continue;
    forms.set(escapeFor("url", text, false), { name, place: "url" });
    forms.set(text, { name, place: "data" });
  }
  const find = createMatcher([...forms.keys()]);
  return mapTexts(value, (text) => {
    const parts: Array<string | SecretPart> = [];
    let end = 0;
    for (const span of find(text)) {
      const part = forms.get(text.slice(span.start, span.end));
      // Forms that touch are no single value: what is left of them is taken out by the redactor.
      if (part === undefined) continue;
      if (span.start > end) parts.push(text.slice(end, span.start));
      parts.push(part);
      end = span.end;
    }
    if (parts.length === 0) return text;
    return referenceOf(end < text.length ? [...parts, text.slice(end)] : parts);
  });
}

/** A value for people and the ledger: marks as they were written in the definition. */
export function shownForm(value: Json, marks: SecretMarks): Json {
  if (typeof value === "string") return shownText(value, marks);
  if (Array.isArray(value)) return value.map((item) => shownForm(item, marks));
  if (!isJsonObject(value)) return value;
  return fromEntries(Object.entries(value).map(([key, item]) => [shownText(key, marks), shownForm(item, marks)]));
}

/** A text for people: `{{ secrets.NAME }}` where a mark stood. */
export function shownText(text: string, marks: SecretMarks): string {
  const parts = marks.split(text);
  if (parts === undefined) return text;
  return parts.map((part) => (typeof part === "string" ? part : `{{ secrets.${part.name} }}`)).join("");
}

/** Whether a mark, or what was made of one, is left anywhere. */
export function holdsMark(value: Json, marks: SecretMarks): boolean {
  return marks.given() && marks.leaves(JSON.stringify(value));
}

function referenceOf(parts: ReadonlyArray<string | SecretPart>): JsonObject {
  return { [reference]: parts.map((part) => (typeof part === "string" ? part : { ...part })) };
}

function valueFor({ name, place }: SecretPart, values: ReadonlyMap<string, string>): string {
  const value = values.get(name) ?? "";
  // oxlint-disable-next-line no-control-regex -- these are what a header must not hold.
  if (place === "header" && /[\r\n\u0000]/.test(value))
    throw new StepError(
      "invalid-input",
      `The secret ${name} holds a line break, which a header cannot. Give it a value of one line.`,
    );
  return escapeFor(place, value, false);
}

/** Every text made by `map`; a key that looks like a reference's is set off, so that nobody can write one. */
function mapTexts(value: Json, map: (text: string) => Json): Json {
  if (typeof value === "string") return map(value);
  if (Array.isArray(value)) return value.map((item) => mapTexts(item, map));
  if (!isJsonObject(value)) return value;
  return fromEntries(
    Object.entries(value).map(([key, item]) => [alike.test(key) ? `$${key}` : key, mapTexts(item, map)]),
  );
}

/** Every reference made a text by `read`, and keys that were set off as they were. */
function walk(stored: Json, read: (parts: ReadonlyArray<string | SecretPart>) => string): Json {
  if (Array.isArray(stored)) return stored.map((item) => walk(item, read));
  if (!isJsonObject(stored)) return stored;
  // Written by `referenceOf`: every other key of this kind was set off.
  if (Object.hasOwn(stored, reference)) return read(stored[reference] as unknown as Array<string | SecretPart>);
  return fromEntries(
    Object.entries(stored).map(([key, item]) => [alike.test(key) ? key.slice(1) : key, walk(item, read)]),
  );
}

/** An object of these entries, a key `__proto__` among them being a key like others. */
function fromEntries(entries: ReadonlyArray<readonly [string, Json]>): JsonObject {
  return Object.fromEntries(entries);
}
