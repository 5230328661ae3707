import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createMatcher } from "./matcher.ts";
import type { OpenedSecrets } from "./vault.ts";
import { writtenForms } from "./written-forms.ts";

/** Takes values of secrets out of what is to be stored or shown. */
export interface Redactor {
  text(text: string): string;
  /** In texts and in keys, however deep. */
  json(value: Json): Json;
}

/** What stands where a value stood. */
export const redacted = "[redacted]";

/**
 * Values that are shorter than this are left alone: they stand in half of all texts by chance, and what
 * says so little hides nothing.
 */
export const shortestRedacted = 4;

/**
 * A redactor of these values, in every form in which programs write them. It reads a text once, however
 * many values there are; of forms that overlap, all that they cover goes.
 */
export function createRedactor(values: Iterable<string | Buffer>): Redactor {
  const forms = [...values].flatMap((value) => {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value);
    return bytes.toString().length < shortestRedacted ? [] : writtenForms(bytes);
  });
  const covered = createMatcher(forms.filter((form) => form.length >= shortestRedacted));
  const text = (given: string): string => {
    let [clean, place] = ["", 0];
    for (const { start, end } of covered(given)) {
      clean += given.slice(place, start) + redacted;
      place = end;
    }
    return place === 0 ? given : clean + given.slice(place);
  };
  return { text, json: (value) => redactJson(value, text) };
}

/** Redactors by the values that they take out: the vault gives the same ones for a second or so. */
const redactors = new WeakMap<OpenedSecrets, Redactor>();

/** A redactor of all these secrets' values. */
export function redactorOf(secrets: OpenedSecrets): Redactor {
  const redactor = redactors.get(secrets) ?? createRedactor([...secrets.values()].flat());
  redactors.set(secrets, redactor);
  return redactor;
}

/** Bodies and results are nested no deeper than 64 levels: whoever reads them has seen to that. */
function redactJson(value: Json, text: (given: string) => string): Json {
  if (typeof value === "string") return text(value);
  if (Array.isArray(value)) return redactList(value, text);
  return isJsonObject(value) ? redactObject(value, text) : value;
}

// What holds nothing secret stays what it is: most of what is large is so, and is not made again.

function redactList(list: Json[], text: (given: string) => string): Json[] {
  let clean: Json[] | undefined;
  for (const [index, item] of list.entries()) {
    const redactedItem = redactJson(item, text);
    if (redactedItem === item) continue;
    clean ??= [...list];
    clean[index] = redactedItem;
  }
  return clean ?? list;
}

function redactObject(object: JsonObject, text: (given: string) => string): JsonObject {
  let changed: Map<string, [string, Json]> | undefined;
  for (const key of Object.keys(object)) {
    const item = object[key] ?? null;
    const entry: [string, Json] = [text(key), redactJson(item, text)];
    if (entry[0] !== key || entry[1] !== item) (changed ??= new Map()).set(key, entry);
  }
  if (changed === undefined) return object;
  return Object.fromEntries(Object.entries(object).map(([key, item]) => changed.get(key) ?? [key, item]));
}
