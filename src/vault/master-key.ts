import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

/** What seals every secret's own key. It is in the environment or in a file, never in the database. */
export interface MasterKey {
  /** Tells keys apart, and nothing of them. */
  readonly id: string;
  readonly key: KeyObject;
}

/** A key as it is written: 32 bytes in base64. Throws an Error that names where it stands, never the key. */
export function parseMasterKey(text: string, where: string): MasterKey {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length !== 32 || bytes.toString("base64").replace("=", "") !== text.replace(/=$/, ""))
    throw new Error(`${where} is not a master key: 32 bytes in base64, such as \`openssl rand -base64 32\` gives.`);
  const id = createHmac("sha256", bytes).update("tandem master key id").digest("hex").slice(0, 16);
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { id, key };
}
