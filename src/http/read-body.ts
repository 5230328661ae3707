import { isUtf8 } from "node:buffer";
import { StepError } from "../errors.ts";
import type { Json } from "../json.ts";
import { parseJson, storable } from "./parse-json.ts";

/** What is neither JSON nor text is kept as base64, which is a third longer. */
const mostBinaryBytes = 6_291_456;

/**
 * What a body holds, by its content type and nothing else: JSON as data, text as text, anything else as
 * `{ base64, bytes }`. Without a content type it is text where it can be. Null: it is empty. Throws
 * StepError `invalid-response`, `response-too-large`.
 */
export function readBody(body: Buffer, contentType: string | undefined): Json {
  if (body.length === 0) return null;
  const [type = "", ...parameters] = (contentType ?? "").split(";").map((part) => part.trim());
  if (isJson(type)) return parseJson(decode(body, "utf-8"));
  if (isText(type) || (type === "" && isUtf8(body) && !body.includes(0)))
    return storable(decode(body, charsetOf(parameters)));
  if (body.length > mostBinaryBytes)
    throw new StepError(
      "response-too-large",
      `The answer is a file of ${body.length} bytes (${type || "of no type"}); ${mostBinaryBytes} are taken.`,
    );
  return { base64: body.toString("base64"), bytes: body.length };
}

function isJson(type: string): boolean {
  return /^(application|text)\/([\w.!#$&^+-]+\+)?json$/i.test(type);
}

function isText(type: string): boolean {
  return (
    /^text\//i.test(type) ||
    /^\w+\/[\w.-]+\+(xml|yaml)$/i.test(type) ||
    /^application\/(xml|javascript|x-www-form-urlencoded|graphql|x-ndjson|yaml|toml|sql)$/i.test(type)
  );
}

function charsetOf(parameters: readonly string[]): string {
  const charset = parameters.find((parameter) => /^charset=/i.test(parameter));
  return charset?.replace(/^charset=\s*"?([^"]*)"?$/i, "$1") ?? "utf-8";
}

/** What is no text in its charset has U+FFFD in its place: the answer is what it is. */
function decode(body: Buffer, charset: string): string {
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    return new TextDecoder().decode(body);
  }
}
