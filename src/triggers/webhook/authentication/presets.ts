import { parseContent } from "./content.ts";
import { inHeader, inList, readSigned } from "./read-signed.ts";
import type { HmacScheme } from "./signature-scheme.ts";
import { usualToleranceMs } from "./timestamps.ts";

/** A secret whose characters are the key. */
const asText = (secret: Buffer): Buffer => secret;
const seconds = { unit: "seconds", toleranceMs: usualToleranceMs } as const;

/** `t=<seconds>,v1=<hex>`, more than one `v1` while a secret is rotated; others are not looked at. */
const stripe: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("{timestamp}.{body}"),
  timestamp: seconds,
  signatureHeaders: ["stripe-signature"],
  read: readSigned({
    signatures: inList({ header: "stripe-signature", separator: ",", signature: "v1", timestamp: "t" }),
  }),
  key: asText,
};

const github: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("{body}"),
  signatureHeaders: ["x-hub-signature-256", "x-hub-signature"],
  read: readSigned({ signatures: inHeader("x-hub-signature-256", "sha256=") }),
  key: asText,
};

const slack: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("v0:{timestamp}:{body}"),
  timestamp: seconds,
  signatureHeaders: ["x-slack-signature"],
  read: readSigned({ signatures: inHeader("x-slack-signature", "v0="), timestampHeader: "x-slack-request-timestamp" }),
  key: asText,
};

const shopify: HmacScheme = {
  algorithm: "sha256",
  encoding: "base64",
  content: parseContent("{body}"),
  signatureHeaders: ["x-shopify-hmac-sha256"],
  read: readSigned({ signatures: inHeader("x-shopify-hmac-sha256") }),
  key: asText,
};

/** Its nonce is not signed, so it is not looked at. */
const twenty: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("{timestamp}:{body}"),
  timestamp: { unit: "milliseconds", toleranceMs: usualToleranceMs },
  signatureHeaders: ["x-twenty-webhook-signature"],
  read: readSigned({
    signatures: inHeader("x-twenty-webhook-signature"),
    timestampHeader: "x-twenty-webhook-timestamp",
  }),
  key: asText,
};

/** How the senders that have a kind of their own sign. */
export const presets = { stripe, github, slack, shopify, twenty } satisfies Record<string, HmacScheme>;
