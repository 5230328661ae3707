import { createHash, createHmac, randomInt } from "node:crypto";
import { crc32 } from "node:zlib";

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const idLength = 8;
/** 62^43 is a little more than 2^256. */
const secretLength = 43;
const checksumLength = 6;

/** `tandem_`, eight characters by which it can be named, the secret, and a checksum of all before it. */
const pattern = new RegExp(
  `^tandem_[0-9a-z]{${idLength}}_[0-9A-Za-z]{${secretLength}}_[0-9A-Za-z]{${checksumLength}}$`,
);
/** A key of before: no name, no checksum. */
const oldPattern = /^tandem_[A-Za-z0-9_-]{43}$/;

/** A new key and how it begins, by which people and logs name it. */
export function makeKey(): { key: string; prefix: string } {
  const prefix = `tandem_${randomText(idLength, 36).toLowerCase()}`;
  const body = `${prefix}_${randomText(secretLength, digits.length)}`;
  return { key: `${body}_${checksum(body)}`, prefix };
}

/** Whether the text can be a key at all: no typing error, nothing cut off. Says nothing of whether it was ever made. */
export function isKey(text: string): boolean {
  if (oldPattern.test(text)) return true;
  if (!pattern.test(text)) return false;
  const body = text.slice(0, -checksumLength - 1);
  return text.endsWith(`_${checksum(body)}`);
}

/**
 * What is kept of a key. There is nothing to guess in so many random digits; under a key that is not in the
 * database, what is kept cannot even be tried against a key that was found elsewhere, nor be forged.
 */
export function hashKey(key: string, pepper: Buffer): Buffer {
  return oldPattern.test(key)
    ? createHash("sha256").update(key).digest()
    : createHmac("sha256", pepper).update(key).digest();
}

/** Of the first `kinds` digits. */
function randomText(length: number, kinds: number): string {
  return Array.from({ length }, () => digits[randomInt(kinds)]).join("");
}

/** CRC-32 in base 62. */
function checksum(text: string): string {
  let rest = crc32(text);
  let written = "";
  for (let i = 0; i < checksumLength; i++) {
    written = `${digits[rest % digits.length]}${written}`;
    rest = Math.floor(rest / digits.length);
  }
  return written;
}
