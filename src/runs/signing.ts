import { createHmac, timingSafeEqual } from "node:crypto";
import type { Sql } from "../sql.ts";

/** What is signed: a signature for one purpose is none for another. */
export type Purpose = "origin" | "question";

/** Signs what this installation says to itself by way of others, and knows it again. */
export interface Signer {
  sign(purpose: Purpose, text: string): string;
  verify(purpose: Purpose, text: string, signature: string): boolean;
}

const signers = new WeakMap<Sql, Promise<Signer>>();

/** The installation's signer; its key is read once a pool. */
export function getSigner(sql: Sql): Promise<Signer> {
  const known = signers.get(sql);
  if (known !== undefined) return known;
  const loading = loadSigner(sql);
  signers.set(sql, loading);
  loading.catch(() => signers.delete(sql));
  return loading;
}

async function loadSigner(sql: Sql): Promise<Signer> {
  const { rows } = await sql.query<{ key: Buffer }>("select signing_key as key from tandem.installation");
  const key = rows[0]?.key;
  if (key === undefined) throw new Error("The installation has not been made yet: there is no key to sign with.");
  const sign = (purpose: Purpose, text: string): string =>
    createHmac("sha256", key).update(`${purpose}\n${text}`).digest("base64url");
  return {
    sign,
    verify(purpose, text, signature) {
      const [own, given] = [Buffer.from(sign(purpose, text)), Buffer.from(signature)];
      return own.length === given.length && timingSafeEqual(own, given);
    },
  };
}
