import { refuse } from "./authentication.ts";
import { parseContent } from "./content.ts";
import { readHeader } from "./read-header.ts";
import { readFromHeaders, signatureCodes, type HmacScheme } from "./signature-scheme.ts";
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
  read(request) {
    const header = readHeader(request, "stripe-signature", signatureCodes);
    if (typeof header !== "string") return header;
    const items = header.split(",").map((item) => /^(\w+)=([^=\s]+)$/.exec(item));
    if (items.includes(null))
      return refuse("signature-malformed", "The header stripe-signature is not of the form t=…,v1=….");
    const valuesOf = (key: string): string[] =>
      items.flatMap((item) => (item?.[1] === key && item[2] !== undefined ? [item[2]] : []));
    const [timestamp, ...others] = valuesOf("t");
    if (timestamp === undefined || others.length > 0)
      return refuse("timestamp-missing", "The header stripe-signature must have one t=….");
    const signatures = valuesOf("v1");
    if (signatures.length === 0) return refuse("signature-missing", "The header stripe-signature has no v1=….");
    return { signatures, timestamp, id: "" };
  },
  key: asText,
};

const github: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("{body}"),
  signatureHeaders: ["x-hub-signature-256", "x-hub-signature"],
  read: readFromHeaders({ signature: "x-hub-signature-256", prefix: "sha256=" }),
  key: asText,
};

const slack: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("v0:{timestamp}:{body}"),
  timestamp: seconds,
  signatureHeaders: ["x-slack-signature"],
  read: readFromHeaders({
    signature: "x-slack-signature",
    prefix: "v0=",
    timestamp: "x-slack-request-timestamp",
  }),
  key: asText,
};

const shopify: HmacScheme = {
  algorithm: "sha256",
  encoding: "base64",
  content: parseContent("{body}"),
  signatureHeaders: ["x-shopify-hmac-sha256"],
  read: readFromHeaders({ signature: "x-shopify-hmac-sha256", prefix: "" }),
  key: asText,
};

/** Its nonce is not signed, so it is not looked at. */
const twenty: HmacScheme = {
  algorithm: "sha256",
  encoding: "hex",
  content: parseContent("{timestamp}:{body}"),
  timestamp: { unit: "milliseconds", toleranceMs: usualToleranceMs },
  signatureHeaders: ["x-twenty-webhook-signature"],
  read: readFromHeaders({
    signature: "x-twenty-webhook-signature",
    prefix: "",
    timestamp: "x-twenty-webhook-timestamp",
  }),
  key: asText,
};

/** How the senders that have a kind of their own sign. */
export const presets = { stripe, github, slack, shopify, twenty } satisfies Record<string, HmacScheme>;
