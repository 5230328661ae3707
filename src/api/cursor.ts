import { isUuid } from "../ids.ts";
import { ProblemError } from "../errors.ts";

/** Where a list goes on: after this id. Opaque to who passes it back. */
export function encodeCursor(id: string): string {
  return Buffer.from(id.replaceAll("-", ""), "hex").toString("base64url");
}

/** The id in a cursor. Throws a 400 for one that no list gave. */
export function decodeCursor(cursor: string): string {
  const hex = Buffer.from(cursor, "base64url").toString("hex");
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  if (!isUuid(id))
    throw new ProblemError(
      400,
      "invalid-cursor",
      "The cursor is not one that this list gave. Leave it out to start over.",
    );
  return id;
}

/** A page of a list: at most `limit` of the rows, of which one more was asked for to see whether they go on. */
export function toPage<Row extends { readonly id: string }>(
  rows: readonly Row[],
  limit: number,
): { data: Row[]; nextCursor: string | null } {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return { data, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last.id) : null };
}
