import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import { malformed } from "./malformed.ts";
import { collectFields, parseForm } from "./parse-form.ts";
import { parseJson } from "./parse-json.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The part of a content type before its parameters, in lower case; undefined when there is none. */
export function mediaType(contentType: string | undefined): string | undefined {
  const type = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  return type === "" ? undefined : type;
}

/**
 * What a body says, by its content type: JSON (also when there is none), form-encoded, or the fields
 * of multipart/form-data. No body and no content type: null. Throws a ProblemError with 400 or 415.
 */
export async function parseBody(body: Buffer, contentType: string | undefined): Promise<Json> {
  const type = mediaType(contentType);
  if (body.length === 0 && type === undefined) return null;
  refuseOtherCharsets(contentType);
  if (type === undefined || isJsonType(type)) return parseJson(decodeText(body));
  if (type === "application/x-www-form-urlencoded") return parseForm(decodeText(body));
  if (type === "multipart/form-data") return parseMultipart(body, contentType ?? type);
  throw new ProblemError(
    415,
    "unsupported-media-type",
    `Content-Type "${type}" is not read. Send application/json, application/x-www-form-urlencoded or multipart/form-data.`,
  );
}

export function isJsonType(type: string): boolean {
  return type === "application/json" || (type.startsWith("application/") && type.endsWith("+json"));
}

/** Whether every value came as text, whatever it is meant to be. */
export function isFormType(type: string | undefined): boolean {
  return type === "application/x-www-form-urlencoded" || type === "multipart/form-data";
}

/** Bytes as text; 400 for what is not UTF-8. A byte order mark is dropped. */
export function decodeText(body: Buffer): string {
  try {
    return utf8.decode(body);
  } catch (error) {
    throw malformed("The body is not valid UTF-8.", error);
  }
}

async function parseMultipart(body: Buffer, contentType: string): Promise<JsonObject> {
  const pairs: Array<[string, string]> = [];
  const form = await new Response(new Uint8Array(body), { headers: { "content-type": contentType } })
    .formData()
    .catch((error: unknown) => {
      throw malformed("The body is not valid multipart/form-data.", error);
    });
  for (const [field, value] of form) {
    if (typeof value !== "string")
      throw malformed(`${field} is a file. Files are not accepted: send its text, or a link to it.`);
    pairs.push([field, value]);
  }
  // Decoded as a whole too: the form's parser turns what is not UTF-8 into U+FFFD without a word.
  decodeText(body);
  return collectFields(pairs);
}

function refuseOtherCharsets(contentType: string | undefined): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType ?? "")?.[1]?.toLowerCase();
  if (charset === undefined || charset === "utf-8" || charset === "utf8" || charset === "us-ascii") return;
  throw new ProblemError(415, "unsupported-charset", `Charset "${charset}" is not read. Send the body as UTF-8.`);
}
