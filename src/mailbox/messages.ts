import PostalMime from "postal-mime";
import { createId } from "../ids.ts";
import type { Sql } from "../sql.ts";

/** A mail that the mailbox keeps, as the API shows it. */
export interface Message {
  readonly id: string;
  readonly receivedAt: Date;
  readonly from: string;
  /** Whom the sender named to the server: also those in Bcc. */
  readonly to: string[];
  readonly subject: string;
  readonly text: string | null;
  readonly html: string | null;
  /** By lower-case name; of a repeated header the first. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What the mailbox shows of a mail, read from its text. */
export type ParsedMessage = Pick<Message, "subject" | "text" | "html" | "headers"> & {
  readonly messageId: string | null;
};

/** Reads a mail. Throws when it is none, or nested past all measure. */
export async function parseMessage(raw: Buffer): Promise<ParsedMessage> {
  const parsed = await PostalMime.parse(raw);
  const headers = parsed.headers.map(({ key, value }) => [storable(key.toLowerCase()), storable(value)] as const);
  return {
    messageId: parsed.messageId === undefined ? null : storable(parsed.messageId),
    subject: storable(parsed.subject ?? ""),
    text: parsed.text === undefined ? null : storable(parsed.text),
    html: parsed.html === undefined ? null : storable(parsed.html),
    headers: Object.fromEntries(headers.toReversed()),
  };
}

/** Postgres takes neither NUL nor halves of characters. */
function storable(text: string): string {
  return text.replaceAll("\u0000", "").toWellFormed();
}

/** Keeps a mail as it came, with what was read of it. When this returns it is committed. */
export async function keepMessage(
  sql: Sql,
  { raw, parsed, from, to }: { raw: Buffer; parsed: ParsedMessage; from: string; to: readonly string[] },
): Promise<void> {
  const { messageId, subject, text, html, headers } = parsed;
  await sql.query({
    name: "keep_message",
    text: `insert into tandem.mailbox_messages (id, message_id, mail_from, rcpt_to, subject, text_body, html_body, headers, raw)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [createId(), messageId, from, [...to], subject, text, html, JSON.stringify(headers), raw],
  });
}

const selectText = `select id, received_at as "receivedAt", mail_from as "from", rcpt_to as "to", subject, text_body as text, html_body as html, headers
  from tandem.mailbox_messages`;

/** Newest first; `before` is the id of the last of the page before. */
export async function listMessages(
  sql: Sql,
  { limit, before }: { limit: number; before?: string | undefined },
): Promise<Message[]> {
  const { rows } = await sql.query<Message>({
    name: "list_messages",
    text: `${selectText} where $1::uuid is null or id < $1::uuid order by id desc limit $2::integer`,
    values: [before ?? null, limit],
  });
  return rows;
}

/** One mail; undefined when there is none under this id. */
export async function findMessage(sql: Sql, id: string): Promise<Message | undefined> {
  const { rows } = await sql.query<Message>({
    name: "find_message",
    text: `${selectText} where id = $1::uuid`,
    values: [id],
  });
  return rows[0];
}
