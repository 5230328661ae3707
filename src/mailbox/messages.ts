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

/** Parses and keeps a mail. When this returns it is committed. */
export async function keepMessage(
  sql: Sql,
  { raw, from, to }: { raw: Buffer; from: string; to: readonly string[] },
): Promise<void> {
  const parsed = await PostalMime.parse(raw);
  const headers = Object.fromEntries(parsed.headers.toReversed().map(({ key, value }) => [key.toLowerCase(), value]));
  await sql.query({
    name: "keep_message",
    text: `insert into tandem.mailbox_messages (id, message_id, mail_from, rcpt_to, subject, text_body, html_body, headers, raw)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
    values: [
      createId(),
      parsed.messageId ?? null,
      from,
      [...to],
      withoutNul(parsed.subject ?? ""),
      parsed.text === undefined ? null : withoutNul(parsed.text),
      parsed.html === undefined ? null : withoutNul(parsed.html),
      withoutNul(JSON.stringify(headers)).replaceAll("\\u0000", ""),
      raw,
    ],
  });
}

function withoutNul(text: string): string {
  return text.replaceAll("\u0000", "");
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

export async function findMessage(sql: Sql, id: string): Promise<Message | undefined> {
  const { rows } = await sql.query<Message>({
    name: "find_message",
    text: `${selectText} where id = $1::uuid`,
    values: [id],
  });
  return rows[0];
}
