import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from "node:crypto";
import type { MasterKey } from "./master-key.ts";

const algorithm = "aes-256-gcm";
const ivLength = 12;
/** Asked for by name: Node takes shorter tags otherwise, which can be forged. */
const authTagLength = 16;

/** Where a value belongs. Whatever is opened elsewhere does not open. */
export interface SealedPlace {
  readonly workspaceId: string;
  readonly secretId: string;
  readonly name: string;
  readonly version: number;
}

/** A value as it is kept. */
export interface Sealed {
  readonly masterKeyId: string;
  /** The key that the value is sealed with, sealed with the master key. */
  readonly dataKey: Buffer;
  readonly sealed: Buffer;
  /** The master key under which the value was sealed first: it stays bound to this one. */
  readonly sealedUnder: string;
}

/** Seals a value under a new key of its own, and that key under the master key. */
export function seal(masterKey: MasterKey, place: SealedPlace, value: Buffer): Sealed {
  const dataKey = randomBytes(32);
  try {
    return {
      masterKeyId: masterKey.id,
      dataKey: encrypt(masterKey.key, dataKey, boundTo("data-key", masterKey.id, place)),
      sealed: encrypt(dataKey, value, boundTo("value", masterKey.id, place)),
      sealedUnder: masterKey.id,
    };
  } finally {
    dataKey.fill(0);
  }
}

/** The value. Throws an Error where anything of it is not as it was sealed, or it was sealed for another place. */
export function open(masterKey: MasterKey, place: SealedPlace, { sealed, sealedUnder, ...wrapped }: Sealed): Buffer {
  const key = unwrap(masterKey, place, wrapped);
  try {
    return decrypt(key, sealed, boundTo("value", sealedUnder, place));
  } finally {
    key.fill(0);
  }
}

/** The key that a value is sealed with, as it is kept. */
type Wrapped = Pick<Sealed, "masterKeyId" | "dataKey">;

/** The same, sealed with another master key. The value itself is not opened. Throws as `open` does. */
export function rewrap(
  { from, to }: { from: MasterKey; to: MasterKey },
  place: SealedPlace,
  wrapped: Wrapped,
): Wrapped {
  const key = unwrap(from, place, wrapped);
  try {
    return { masterKeyId: to.id, dataKey: encrypt(to.key, key, boundTo("data-key", to.id, place)) };
  } finally {
    key.fill(0);
  }
}

function unwrap(masterKey: MasterKey, place: SealedPlace, { masterKeyId, dataKey }: Wrapped): Buffer {
  if (masterKeyId !== masterKey.id)
    throw new Error(`It was sealed with another master key (${masterKeyId}; this is ${masterKey.id}).`);
  return decrypt(masterKey.key, dataKey, boundTo("data-key", masterKeyId, place));
}

/** IV, ciphertext and tag, one behind the other. */
function encrypt(key: KeyObject | Buffer, plain: Buffer, bound: Buffer): Buffer {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv(algorithm, key, iv, { authTagLength }).setAAD(bound);
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: KeyObject | Buffer, sealed: Buffer, bound: Buffer): Buffer {
  try {
    const iv = sealed.subarray(0, ivLength);
    const decipher = createDecipheriv(algorithm, key, iv, { authTagLength })
      .setAAD(bound)
      .setAuthTag(sealed.subarray(ivLength).subarray(-authTagLength));
    return Buffer.concat([decipher.update(sealed.subarray(ivLength, -authTagLength)), decipher.final()]);
  } catch (cause) {
    throw new Error("What was sealed was changed, or belongs elsewhere.", { cause });
  }
}

/** As JSON, so that no two places read the same. */
function boundTo(what: "data-key" | "value", masterKeyId: string, place: SealedPlace): Buffer {
  const { workspaceId, secretId, name, version } = place;
  return Buffer.from(JSON.stringify(["tandem-secret-1", what, masterKeyId, workspaceId, secretId, name, version]));
}
