import { z } from "zod";
import type { Address } from "../mailbox/address.ts";
import { addressList, oneAddress } from "../mailbox/address-list.ts";
import { attachmentSchema, bytesOf, mostAttachedBytes, mostAttachments } from "../mailbox/attachments.ts";

/** A line break here would begin another header. */
const oneLine = z
  .string()
  .max(2_000)
  .refine((text) => !/[^\P{Cc}\t]|[\p{Zl}\p{Zp}]/u.test(text), "a subject is one line, without control characters");
const body = z
  .string()
  .max(1_048_576)
  .refine((text) => !text.includes("\u0000"), "text cannot hold NUL");

/** What a mail is made of. */
export const mailInput = z
  .strictObject({
    // Its expression may have been dropped; `check` wants it written.
    to: addressList.default([]),
    cc: addressList.default([]),
    bcc: addressList.default([]),
    from: oneAddress.default(null),
    replyTo: addressList.default([]),
    subject: oneLine,
    text: body.optional(),
    html: body.optional(),
    markdown: body.optional(),
    attachments: z.array(attachmentSchema).max(mostAttachments).default([]),
    oneEach: z.boolean().default(false),
  })
  .refine(
    ({ text, html, markdown }) => text !== undefined || html !== undefined || markdown !== undefined,
    `a mail needs "text", "html" or "markdown"`,
  )
  .refine(
    ({ html, markdown }) => html === undefined || markdown === undefined,
    `"markdown" becomes the mail's HTML: write it or "html"`,
  )
  .refine(({ attachments }) => attachments.reduce((sum, one) => sum + bytesOf(one), 0) <= mostAttachedBytes, {
    path: ["attachments"],
    message: `are larger than ${mostAttachedBytes / 1_048_576} MiB together`,
  });

export type MailInput = z.output<typeof mailInput>;

/** Whom a mail names. */
export type Fields = Record<"to" | "cc" | "bcc", Address[]>;

/** Nobody gets it twice: of an address in several fields the first counts. */
export function foldRecipients(given: Fields): Fields {
  const seen = new Set<string>();
  const fold = (list: readonly Address[]): Address[] =>
    list.filter(({ address }) => {
      const isNew = !seen.has(address.toLowerCase());
      seen.add(address.toLowerCase());
      return isNew;
    });
  return { to: fold(given.to), cc: fold(given.cc), bcc: fold(given.bcc) };
}
