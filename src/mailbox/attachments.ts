import { z } from "zod";

/** A file that goes along with a mail, as it is stored: its data is text, or base64 of bytes. */
export type Attachment = z.output<typeof attachmentSchema>;

/** Bytes of all attachments of a mail: in base64 they stay below the 10 MiB that most servers take. */
export const mostAttachedBytes = 7 * 1024 * 1024;
/** Attachments of a mail. */
export const mostAttachments = 20;

// A path, a control character, text turned round or an encoded word would make of the name something else.
const strangeInNames = /=\?|[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069/\\]/u;
const token = "[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}";
// What is a mail or has parts by itself would be read as a part of this one.
const mediaType = new RegExp(`^(?!multipart/|message/)${token}/${token}(; ?charset=[A-Za-z0-9_-]{1,40})?$`, "i");

export const attachmentSchema = z
  .strictObject({
    name: z
      .string()
      .min(1)
      .max(200)
      .refine(
        (name) => !strangeInNames.test(name) && /[^. ]/.test(name),
        "a file's name has no path and no line breaks",
      ),
    type: z.string().regex(mediaType, "a media type, such as text/csv or application/pdf").optional(),
    text: z.string().optional(),
    base64: z.string().optional(),
  })
  .refine(
    ({ text, base64 }) => (text === undefined) !== (base64 === undefined),
    `an attachment has its data in "text" or in "base64"`,
  )
  .refine(({ base64 }) => base64 === undefined || isBase64(base64), {
    path: ["base64"],
    message: "is not base64",
  });

/** Size of the file. */
export function bytesOf({ text, base64 = "" }: Attachment): number {
  return text === undefined ? Buffer.byteLength(base64, "base64") : Buffer.byteLength(text);
}

/** The file as it is handed to the mail library: bytes, never a path or an address to read from. */
export function fileOf({ name, type, text, base64 }: Attachment) {
  return {
    filename: name,
    contentType: type ?? (text === undefined ? "application/octet-stream" : "text/plain; charset=utf-8"),
    content: text === undefined ? Buffer.from(base64 ?? "", "base64") : Buffer.from(text),
    contentDisposition: "attachment" as const,
  };
}

/** Line breaks may stand in it, as programs write them. */
function isBase64(text: string): boolean {
  if (/[^A-Za-z0-9+/=\r\n]/.test(text)) return false;
  const padding = /=[\s\S]*$/.exec(text)?.[0] ?? "";
  return /^={0,2}[\r\n]*$/.test(padding);
}
