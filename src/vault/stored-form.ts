import { StepError } from "../errors.ts";
import { escapeFor, type SecretMarks, type SecretPart } from "../definition/expressions.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createMatcher } from "./matcher.ts";
import { shortestRedacted } from "./redactor.ts";

/** The key of what stands for a text that holds secrets: `{ "$secret": ["Bearer ", { name, place }] }`. */
const reference = "$secret";

/** A key that would be read as a reference, however often it was written for one. */
const alike = /^\$+secret$/;

/**
 * What is to be sent, or was got through, as it is stored: marks are made references, and so are values of
 * secrets, as they are and as a URL holds them. They may stand there without having been put in: in what a
 * sender gave, or in the address of a target's next page.
 */
export function storedForm(
  value: Json,
  { marks, values }: { marks?: SecretMarks; values: ReadonlyMap<string, string> },
): Json {
  const cut = createCutter(values);
  return mapTexts(value, (text) => {
    const parts = (marks?.split(text) ?? [text]).flatMap((part) => (typeof part === "string" ? cut(part) : [part]));
    return parts.every((part) => typeof part === "string") ? parts.join("") : referenceOf(parts);
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

/** A stored form for people: `{{ secrets.NAME }}` where a value is put in. */
export function shownForm(stored: Json): Json {
  return walk(stored, (parts) => parts.map(shownPart).join(""));
}

/** A text for people: `{{ secrets.NAME }}` where a mark stood. */
export function shownText(text: string, marks: SecretMarks): string {
  return marks.split(text)?.map(shownPart).join("") ?? text;
}

function shownPart(part: string | SecretPart): string {
  return typeof part === "string" ? part : `{{ secrets.${part.name} }}`;
}

/** Whether a mark, or what was made of one, is left anywhere. */
export function holdsMark(value: Json, marks: SecretMarks): boolean {
  return marks.given() && marks.leaves(JSON.stringify(value));
}

/** Cuts a text at values of secrets. */
function createCutter(values: ReadonlyMap<string, string>): (text: string) => Array<string | SecretPart> {
  const forms = new Map<string, SecretPart>();
  for (const [name, value] of values) {
    if (value.length < shortestRedacted) continue;
    forms.set(escapeFor("url", value, false), { name, place: "url" });
    forms.set(value, { name, place: "data" });
  }
  const find = createMatcher([...forms.keys()]);
  return (text) => {
    const parts: Array<string | SecretPart> = [];
    let end = 0;
    for (const { start, end: next } of find(text)) {
      if (start > end) parts.push(text.slice(end, start));
      parts.push(...partsOf(text.slice(start, next), forms));
      end = next;
    }
    return end < text.length || end === 0 ? [...parts, text.slice(end)] : parts;
  };
}

/** The secrets that a stretch of nothing else is made of. Throws StepError where they overlap. */
function partsOf(stretch: string, forms: ReadonlyMap<string, SecretPart>): SecretPart[] {
  const parts: SecretPart[] = [];
  for (let rest = stretch; rest !== "";) {
    const longest = [...forms.keys()].reduce(
      (found, form) => (form.length > found.length && rest.startsWith(form) ? form : found),
      "",
    );
    const part = forms.get(longest);
    if (part === undefined)
      throw new StepError(
        "invalid-input",
        "Values of secrets overlap in what is to be sent, so that it cannot be stored without them. Give one of them another value.",
      );
    parts.push(part);
    rest = rest.slice(longest.length);
  }
  return parts;
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
