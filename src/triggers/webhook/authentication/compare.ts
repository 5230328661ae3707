import { createHash, timingSafeEqual } from "node:crypto";

/**
 * Whether two values are the same bytes, in a time that tells nothing of where they differ or how long
 * the expected one is.
 */
export function isSame(given: Buffer | string, expected: Buffer | string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(value: Buffer | string): Buffer {
  return createHash("sha256").update(value).digest();
}
