import { createHmac } from "node:crypto";
import { refuse, type Authentication, type Refusal, type SignedRequest, type Verdict } from "./authentication.ts";
import { isSame } from "./compare.ts";
import { contentBytes, idEnd, type Content } from "./content.ts";
import type { Signed } from "./read-signed.ts";
import { anyFits, valuesOf } from "./secret-values.ts";
import { checkAge, checkForm, type TimestampRule } from "./timestamps.ts";

/** How a sender signs by HMAC. Every preset is one. */
export interface HmacScheme {
  readonly algorithm: "sha256" | "sha512" | "sha1";
  readonly encoding: "hex" | "base64" | "base64url";
  readonly content: Content;
  readonly timestamp?: TimestampRule | undefined;
  /** Headers that carry the signature. */
  readonly signatureHeaders: readonly string[];
  read(request: SignedRequest): Signed | Refusal;
  key(secret: Buffer): Key;
}

/** What a value of a secret stands for; undefined: it is not of the form that it must have. */
export type Key = Buffer | undefined;

export const wrongSignature = refuse(
  "signature-wrong",
  "The signature does not fit: another secret, or the body was changed on its way.",
);
export const unusableKey = refuse(
  "secret-unusable",
  "The signature does not fit, and a value of the secret is not of the form that this kind of webhook has.",
);

/** More in one header than any sender has reason to send. */
export const mostSignatures = 20;

/** The authentication of a scheme under a secret. */
export function compileHmac(secretName: string, scheme: HmacScheme): Authentication {
  return {
    secretNames: [secretName],
    sensitiveHeaders: scheme.signatureHeaders.map((name) => name.toLowerCase()),
    sensitiveQuery: [],
    verify(request, secrets) {
      const values = valuesOf(secrets, secretName);
      if ("ok" in values) return values;
      const keys = values.map(scheme.key);
      const signed = scheme.read(request);
      if ("ok" in signed) return signed;
      return checkSigned(scheme, signed, { request, keys });
    },
  };
}

/** The signature first: only of a message that is authentic is it worth telling that it is late. */
function checkSigned(
  scheme: HmacScheme,
  signed: Signed,
  { request, keys }: { request: SignedRequest; keys: readonly Key[] },
): Verdict {
  const malformed = checkParts(scheme, signed);
  if (malformed !== undefined) return malformed;
  const content = signedBytes(scheme.content, signed, request);
  const verdict = anyFits(keys, (key) => {
    if (key === undefined) return false;
    const expected = createHmac(scheme.algorithm, key).update(content).digest(scheme.encoding);
    // As texts: another spelling of the same bytes is not what the sender sends.
    return signed.signatures.map((signature) => isSame(signature, expected)).includes(true);
  });
  if (verdict === undefined) return keys.includes(undefined) ? unusableKey : wrongSignature;
  return (scheme.timestamp && checkAge(signed.timestamp, scheme.timestamp, request.now)) ?? verdict;
}

/** Refuses what could be read in more than one way. */
export function checkParts(
  { content, timestamp }: Pick<HmacScheme, "content" | "timestamp">,
  signed: Signed,
): Refusal | undefined {
  if (signed.signatures.length > mostSignatures)
    return refuse("signature-malformed", `There are more than ${mostSignatures} signatures.`);
  const end = idEnd(content);
  if (end !== "" && (!/^[\x21-\x7e]{1,256}$/.test(signed.id) || signed.id.includes(end)))
    return refuse("id-malformed", `The id is empty, too long, or holds "${end}".`);
  return timestamp && checkForm(signed.timestamp, timestamp);
}

/** What was signed, as this request has it. */
export function signedBytes(content: Content, { timestamp, id }: Signed, request: SignedRequest): Buffer {
  const { rawBody: body, method, url } = request;
  return contentBytes(content, { body, timestamp, id, method, url });
}
