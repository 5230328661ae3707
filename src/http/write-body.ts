import { createHash } from "node:crypto";
import { StepError } from "../errors.ts";
import type { Json } from "../json.ts";

const mostBytes = 10_485_760;

/** A part of a `multipart/form-data` body. */
export interface Part {
  readonly name: string;
  readonly text?: string | number | boolean | undefined;
  readonly base64?: string | undefined;
  readonly filename?: string | undefined;
  readonly contentType?: string | undefined;
}

export type BodySource =
  | { readonly kind: "json"; readonly value: Json }
  | { readonly kind: "form"; readonly fields: ReadonlyArray<readonly [string, string]> }
  | { readonly kind: "multipart"; readonly parts: readonly Part[] }
  | { readonly kind: "text"; readonly text: string };

/** A body as it is sent, with the content type that says so. Throws StepError `invalid-input` for its size. */
export function writeBody(source: BodySource): { body: Buffer; contentType: string } {
  const written = write(source);
  if (written.body.length > mostBytes)
    throw new StepError(
      "invalid-input",
      `The request's body has ${written.body.length} bytes; ${mostBytes} are allowed. Send it in parts.`,
    );
  return written;
}

function write(source: BodySource): { body: Buffer; contentType: string } {
  switch (source.kind) {
    case "json":
      return { body: Buffer.from(JSON.stringify(source.value)), contentType: "application/json" };
    case "form":
      return {
        body: Buffer.from(
          new URLSearchParams(source.fields.map(([name, value]): [string, string] => [name, value])).toString(),
        ),
        contentType: "application/x-www-form-urlencoded",
      };
    case "text":
      return { body: Buffer.from(source.text), contentType: "text/plain; charset=utf-8" };
    case "multipart":
      return writeMultipart(source.parts);
  }
}

/**
 * RFC 7578. The boundary is a hash of all parts: none can hold it, and each attempt sends the same bytes, by
 * which targets may know a request again.
 */
function writeMultipart(parts: readonly Part[]): { body: Buffer; contentType: string } {
  const written = parts.map((part) => ({ head: headOf(part), content: contentOf(part) }));
  const hash = createHash("sha256");
  for (const { head, content } of written) hash.update(`${content.length} ${head}`).update(content);
  const boundary = `tandem-${hash.digest("hex").slice(0, 36)}`;
  const chunks = written.flatMap(({ head, content }) => [
    Buffer.from(`--${boundary}\r\n${head}\r\n`),
    content,
    Buffer.from("\r\n"),
  ]);
  return {
    body: Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]),
    contentType: `multipart/form-data; boundary=${boundary}`,
  };
}

function headOf({ name, filename, contentType, base64 }: Part): string {
  const file = filename === undefined ? "" : `; filename="${quoted(filename)}"`;
  const type = contentType ?? (base64 === undefined ? undefined : "application/octet-stream");
  if (type !== undefined && !/^[\x20-\x7e]+$/.test(type))
    throw new StepError("invalid-input", `Part "${name}": its content type cannot stand in a header.`);
  const typeLine = type === undefined ? "" : `Content-Type: ${type}\r\n`;
  return `Content-Disposition: form-data; name="${quoted(name)}"${file}\r\n${typeLine}`;
}

/** As browsers write names: what would end the quotes or the line is percent-encoded. */
function quoted(text: string): string {
  return text.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}

function contentOf({ name, text, base64 }: Part): Buffer {
  if (base64 === undefined) return Buffer.from(String(text ?? ""));
  const bytes = Buffer.from(base64, "base64");
  const isWhole =
    /^[A-Za-z0-9+/_-]*={0,2}$/.test(base64) && bytes.length === Math.floor((base64.replaceAll("=", "").length * 3) / 4);
  if (!isWhole) throw new StepError("invalid-input", `Part "${name}": its "base64" is not base64.`);
  return bytes;
}
