import { createCipheriv, randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { open, seal, type Sealed, type SealedPlace } from "../../src/vault/envelope.ts";
import { testMasterKey } from "../support/vault.ts";

const masterKey = testMasterKey();
const place: SealedPlace = {
  workspaceId: "01890000-0000-7000-8000-000000000001",
  secretId: "01890000-0000-7000-8000-000000000002",
  name: "STRIPE",
  version: 1,
};
const value = Buffer.from("whsec_a value");
const sealed = seal(masterKey, place, value);
const changed = "What was sealed was changed, or belongs elsewhere.";

test("any bytes are opened as they were sealed", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const given = Buffer.from(bytes);
      expect(open(masterKey, place, seal(masterKey, place, given)).equals(given)).toBe(true);
    }),
    { seed: 1, numRuns: 100 },
  );
});

test("nothing of a value or of its key can be seen, and no two are sealed alike", () => {
  const again = seal(masterKey, place, value);
  expect(again.sealed.equals(sealed.sealed)).toBe(false);
  expect(again.dataKey.equals(sealed.dataKey)).toBe(false);
  expect(sealed.sealed.includes(value.subarray(0, 6))).toBe(false);
  expect(sealed.dataKey.length).toBe(12 + 32 + 16);
  expect(sealed.sealed.length).toBe(12 + value.length + 16);
});

test.each([
  ["workspace", { workspaceId: "01890000-0000-7000-8000-000000000009" }],
  ["secret", { secretId: "01890000-0000-7000-8000-000000000009" }],
  ["name", { name: "STRIPE2" }],
  ["name in another case", { name: "stripe" }],
  ["version", { version: 2 }],
])("what was sealed for one place is not opened for another %s", (_, other) => {
  expect(() => open(masterKey, { ...place, ...other }, sealed)).toThrow(changed);
});

test("parts of two places cannot be put together", () => {
  const elsewhere = { ...place, name: "OTHER" };
  const other = seal(masterKey, elsewhere, value);
  for (const mixed of [
    { ...sealed, dataKey: other.dataKey },
    { ...sealed, sealed: other.sealed },
    { ...sealed, dataKey: sealed.sealed, sealed: sealed.dataKey },
  ]) {
    expect(() => open(masterKey, place, mixed)).toThrow(changed);
    expect(() => open(masterKey, elsewhere, mixed)).toThrow(changed);
  }
});

test("another master key opens nothing, also where it says that it is the same", () => {
  const other = testMasterKey(8);
  expect(() => open(other, place, sealed)).toThrow(`another master key (${masterKey.id}; this is ${other.id})`);
  expect(() => open(other, place, { ...sealed, masterKeyId: other.id })).toThrow(changed);
  expect(() => open({ ...other, id: masterKey.id }, place, sealed)).toThrow(changed);
});

test("any bit that is turned, in either part, is noticed", () => {
  for (const part of ["dataKey", "sealed"] as const) {
    for (let bit = 0; bit < sealed[part].length * 8; bit++) {
      const bytes = Buffer.from(sealed[part]);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => open(masterKey, place, { ...sealed, [part]: bytes })).toThrow(changed);
    }
  }
});

test("what was cut off is noticed, wherever it was cut", () => {
  for (const part of ["dataKey", "sealed"] as const) {
    for (let length = 0; length < sealed[part].length; length++) {
      expect(() => open(masterKey, place, { ...sealed, [part]: sealed[part].subarray(0, length) })).toThrow(changed);
      expect(() => open(masterKey, place, { ...sealed, [part]: sealed[part].subarray(length + 1) })).toThrow(changed);
    }
    expect(() => open(masterKey, place, { ...sealed, [part]: Buffer.concat([sealed[part], Buffer.of(0)]) })).toThrow(
      changed,
    );
  }
});

test.each([4, 8, 12, 13, 14, 15])("a tag of %i bytes, which can be guessed, is not taken", (authTagLength) => {
  const iv = randomBytes(12);
  const bound = Buffer.from(JSON.stringify(["tandem-secret-1", "data-key", masterKey.id, ...Object.values(place)]));
  const cipher = createCipheriv("aes-256-gcm", masterKey.key, iv, { authTagLength }).setAAD(bound);
  const dataKey = Buffer.concat([iv, cipher.update(Buffer.alloc(32)), cipher.final(), cipher.getAuthTag()]);
  const forged: Sealed = { ...sealed, dataKey };
  expect(() => open(masterKey, place, forged)).toThrow(changed);
});
