import { createHmac, createPublicKey, verify as verifySignature, type KeyObject } from "node:crypto";
import { refuse, type Authentication, type Refusal, type SignedRequest, type Verdict } from "./authentication.ts";
import { decodeBase64, decodeKey } from "./base64.ts";
import { isSame } from "./compare.ts";
import { parseContent } from "./content.ts";
import { readHeader } from "./read-header.ts";
import { anyFits, valuesOf } from "./secret-values.ts";
import type { SettingsOf } from "./settings.ts";
import { idCodes, signatureCodes, timestampCodes, type Signed } from "./read-signed.ts";
import { checkParts, signedBytes, unusableKey, wrongSignature, type Key } from "./signature-scheme.ts";
import { checkAge, usualToleranceMs } from "./timestamps.ts";

// standard-webhooks.com, spec 1.0.0.
const scheme = {
  content: parseContent("{id}.{timestamp}.{body}"),
  timestamp: { unit: "seconds", toleranceMs: usualToleranceMs },
} as const;

/** What is wrong with a public key as it is written; undefined: nothing. */
export function publicKeyFault(text: string): string | undefined {
  return parsePublicKey(text) === undefined ? "an Ed25519 public key: whpk_ and 32 bytes in base64" : undefined;
}

/** `v1` under the secret, `v1a` under the public keys: one signature of the list must fit. */
export function compileStandardWebhooks(settings: SettingsOf<"standard-webhooks">): Authentication {
  const { secret: secretName, headers: prefix } = settings;
  const publicKeys = (settings.publicKeys ?? []).flatMap((text) => parsePublicKey(text) ?? []);
  return {
    secretNames: secretName === undefined ? [] : [secretName],
    sensitiveHeaders: [`${prefix}-signature`],
    sensitiveQuery: [],
    verify(request, secrets) {
      const values = secretName === undefined ? [] : valuesOf(secrets, secretName);
      if ("ok" in values) return values;
      const keys = values.map(secretKey);
      const signed = read(request, prefix);
      if ("ok" in signed) return signed;
      return checkParts(scheme, signed) ?? checkSigned(signed, { request, keys, publicKeys });
    },
  };
}

function read(request: SignedRequest, prefix: string): Signed | Refusal {
  const id = readHeader(request, `${prefix}-id`, idCodes);
  if (typeof id !== "string") return id;
  const timestamp = readHeader(request, `${prefix}-timestamp`, timestampCodes);
  if (typeof timestamp !== "string") return timestamp;
  const header = readHeader(request, `${prefix}-signature`, signatureCodes);
  if (typeof header !== "string") return header;
  const signatures = header.split(" ");
  // Two headers that somebody joined on the way are no list.
  if (!signatures.every((signature) => /^v\w+,[\w+/=-]*$/.test(signature)))
    return refuse("signature-malformed", `The header ${prefix}-signature is not a list such as v1,… v1,….`);
  return { signatures, timestamp, id };
}

function checkSigned(
  signed: Signed,
  { request, keys, publicKeys }: { request: SignedRequest; keys: readonly Key[]; publicKeys: readonly KeyObject[] },
): Verdict {
  const content = signedBytes(scheme.content, signed, request);
  const bySecret = anyFits(keys, (key) => {
    if (key === undefined) return false;
    const expected = `v1,${createHmac("sha256", key).update(content).digest("base64")}`;
    return signed.signatures.map((signature) => isSame(signature, expected)).includes(true);
  });
  const verdict = bySecret ?? checkPublic(signed, { content, publicKeys });
  if (verdict === undefined) return keys.includes(undefined) ? unusableKey : wrongSignature;
  return checkAge(signed.timestamp, scheme.timestamp, request.now) ?? verdict;
}

function checkPublic(
  { signatures }: Signed,
  { content, publicKeys }: { content: Buffer; publicKeys: readonly KeyObject[] },
): Verdict | undefined {
  const given = signatures.flatMap((signature) => {
    const bytes = signature.startsWith("v1a,") ? decodeBase64(signature.slice(4)) : undefined;
    return bytes?.length === 64 ? [bytes] : [];
  });
  const fits = publicKeys.some((key) => given.some((signature) => verifySignature(null, content, key, signature)));
  return fits ? { ok: true, previous: false } : undefined;
}

/** The key behind `whsec_`; senders leave out the padding, or the beginning. */
function secretKey(secret: Buffer): Key {
  return decodeKey(secret.toString("latin1").replace(/^whsec_/, ""));
}

function parsePublicKey(text: string): KeyObject | undefined {
  const bytes = decodeBase64(text.replace(/^whpk_/, ""));
  if (bytes?.length !== 32) return undefined;
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: bytes.toString("base64url") }, format: "jwk" });
  } catch {
    return undefined;
  }
}
