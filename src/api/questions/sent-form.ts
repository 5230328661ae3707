import { isJsonObject, textOf, type Json, type JsonObject } from "../../json.ts";
import type { Form } from "../../runs/questions/form.ts";

/**
 * The answer that the fields of an HTML form stand for. A field that was left empty is none; a box that is not
 * ticked is not sent, and means false.
 */
export function readSent(form: Form, sent: JsonObject): Json {
  switch (form.kind) {
    case "approval":
      return { approved: sent["decision"] === "approve", comment: textOf(sent["comment"] ?? null) || null };
    case "fields":
      return Object.fromEntries(
        Object.entries(form.fields).map(([name, { type }]) => [name, valueOf(type, textOf(sent[name] ?? null) ?? "")]),
      );
    case "schema":
      return isFlat(form.schema) ? withoutEmpty(sent) : parse(textOf(sent["json"] ?? null) ?? "");
  }
}

/** Whether a form's schema is of an object whose properties are single values: then each has a field. */
export function isFlat(schema: JsonObject): boolean {
  const properties = schema["properties"];
  if (properties === undefined || !isJsonObject(properties)) return false;
  return Object.values(properties).every((property) => isJsonObject(property) && isSingle(property["type"] ?? null));
}

function isSingle(type: Json): boolean {
  return type === "string" || type === "number" || type === "integer" || type === "boolean";
}

function valueOf(type: string, text: string): Json {
  if (type === "boolean") return text !== "";
  if (text.trim() === "") return null;
  if (type === "number") return Number.isFinite(Number(text)) ? Number(text) : text;
  if (type === "emails") return text.split(/[\s,;]+/).filter((one) => one !== "");
  return text;
}

function withoutEmpty(sent: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== ""));
}

/** What is no JSON is answered as the text that it is: the schema says what it should be. */
function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
