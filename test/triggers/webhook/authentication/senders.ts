import { createHmac, createPrivateKey, sign as signBytes, type KeyObject } from "node:crypto";
import type { JsonObject } from "../../../../src/json.ts";

/** What is signed. */
export interface Message {
  readonly body: Buffer;
  readonly timestamp: string;
  readonly id: string;
}

/** How a sender signs, written down from its documents, apart from the code that checks it. */
export interface Sender {
  readonly name: string;
  readonly settings: JsonObject;
  readonly secret: string;
  /** Another secret of the same form. */
  readonly otherSecret: string;
  readonly signatureHeader: string;
  readonly timestamp?: { readonly unit: "seconds" | "milliseconds"; readonly header?: string };
  readonly idHeader?: string;
  /** What stands before the signature in its header. */
  prefix(message: Message): string;
  content(message: Message): Buffer;
  sign(secret: string, content: Buffer): string;
  /** Other contents that might be signed: parts that stand elsewhere, or are left out. */
  disordered(message: Message): Buffer[];
  /** Whole headers around a signature that is right, under another scheme or in another form. */
  foreign(signature: string, message: Message): string[];
}

const join = (...parts: Array<string | Buffer>): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part)));

type Encoding = "hex" | "base64" | "base64url";
const hmac =
  (algorithm: string, encoding: Encoding) =>
  (secret: string | Buffer, content: Buffer): string =>
    createHmac(algorithm, secret).update(content).digest(encoding);

const standardWebhooks: Sender = {
  name: "Standard Webhooks",
  settings: { kind: "standard-webhooks", secret: "HOOK" },
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  otherSecret: "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
  signatureHeader: "webhook-signature",
  timestamp: { unit: "seconds", header: "webhook-timestamp" },
  idHeader: "webhook-id",
  prefix: () => "v1,",
  content: ({ id, timestamp, body }) => join(id, ".", timestamp, ".", body),
  sign: (secret, content) => hmac("sha256", "base64")(Buffer.from(secret.replace("whsec_", ""), "base64"), content),
  disordered: ({ id, timestamp, body }) => [
    join(timestamp, ".", id, ".", body),
    join(id, ".", body, ".", timestamp),
    join(id, timestamp, body),
    join(timestamp, ".", body),
    join(id, ".", body),
    body,
  ],
  foreign: (right) => [
    ...["v2,", "v1a,", "v1=", "v1 ", "V1,", "v1,v1,", "v1, ", ""].map((prefix) => `${prefix}${right}`),
    Array.from({ length: 21 }, () => `v1,${right}`).join(" "),
  ],
};

/** A key pair whose seed is one byte, 32 times (RFC 8410). */
const privateKey = (byte: number): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, byte)]),
    format: "der",
    type: "pkcs8",
  });

const standardKeyPair: Sender = {
  ...standardWebhooks,
  name: "Standard Webhooks by key pair",
  // That of the seed of ones.
  settings: { kind: "standard-webhooks", publicKeys: ["whpk_iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="] },
  secret: "seed 1",
  otherSecret: "seed 2",
  prefix: () => "v1a,",
  sign: (secret, content) => signBytes(null, content, privateKey(Number(secret.slice(-1)))).toString("base64"),
  foreign: (right) => ["v1,", "v2,", "v1a=", "v1a ", "V1A,", "v1a,v1a,", ""].map((prefix) => `${prefix}${right}`),
};

const stripe: Sender = {
  name: "Stripe",
  settings: { kind: "stripe", secret: "HOOK" },
  secret: "whsec_test_secret",
  otherSecret: "whsec_other_secret",
  signatureHeader: "Stripe-Signature",
  timestamp: { unit: "seconds" },
  prefix: ({ timestamp }) => `t=${timestamp},v1=`,
  content: ({ timestamp, body }) => join(timestamp, ".", body),
  sign: hmac("sha256", "hex"),
  disordered: ({ timestamp, body }) => [
    join(body, ".", timestamp),
    join(timestamp, body),
    join(timestamp, ":", body),
    body,
  ],
  foreign: (right, { timestamp }) => [
    ...["v0", "v2", "V1", "sha256"].map((scheme) => `t=${timestamp},${scheme}=${right}`),
    `T=${timestamp},v1=${right}`,
    `t=${timestamp};v1=${right}`,
    `t=${timestamp},t=${timestamp},v1=${right}`,
    `t=${timestamp},t=1,v1=${right}`,
    `v1=${right}`,
    `t=,v1=${right}`,
    `t=${timestamp},v1`,
    `t=${timestamp},v1=${right},`,
    `t=${timestamp}, v1=${right}`,
    `t=${timestamp}`,
  ],
};

const github: Sender = {
  name: "GitHub",
  settings: { kind: "github", secret: "HOOK" },
  secret: "It's a Secret to Everybody",
  otherSecret: "It's a Secret to Nobody",
  signatureHeader: "X-Hub-Signature-256",
  prefix: () => "sha256=",
  content: ({ body }) => body,
  sign: hmac("sha256", "hex"),
  disordered: ({ timestamp, body }) => [
    join(timestamp, ".", body),
    join(body, body),
    join("v0:", timestamp, ":", body),
  ],
  foreign: (right) => ["sha1=", "sha512=", "SHA256=", "sha256:", "sha256=sha256=", ""].map((prefix) => prefix + right),
};

const slack: Sender = {
  name: "Slack",
  settings: { kind: "slack", secret: "HOOK" },
  secret: "8f742231b10e8888abcd99yyyzzz85a5",
  otherSecret: "8f742231b10e8888abcd99yyyzzz85a6",
  signatureHeader: "X-Slack-Signature",
  timestamp: { unit: "seconds", header: "X-Slack-Request-Timestamp" },
  prefix: () => "v0=",
  content: ({ timestamp, body }) => join("v0:", timestamp, ":", body),
  sign: hmac("sha256", "hex"),
  disordered: ({ timestamp, body }) => [
    join("v0:", body, ":", timestamp),
    join("v1:", timestamp, ":", body),
    join("v0", timestamp, body),
    join(timestamp, ":", body),
    join("v0:", timestamp, ".", body),
    body,
  ],
  foreign: (right) => ["v1=", "V0=", "v0:", "v0=v0=", "sha256=", ""].map((prefix) => prefix + right),
};

const shopify: Sender = {
  name: "Shopify",
  settings: { kind: "shopify", secret: "HOOK" },
  secret: "hush hush",
  otherSecret: "hush husk",
  signatureHeader: "X-Shopify-Hmac-Sha256",
  prefix: () => "",
  content: ({ body }) => body,
  sign: hmac("sha256", "base64"),
  disordered: ({ timestamp, body }) => [join(timestamp, ".", body), join(body, body)],
  foreign: (right) => ["sha256=", "v1,", "v1 ", "Basic "].map((prefix) => prefix + right),
};

const twenty: Sender = {
  name: "Twenty",
  settings: { kind: "twenty", secret: "HOOK" },
  secret: "a secret of Twenty",
  otherSecret: "a secret of Thirty",
  signatureHeader: "X-Twenty-Webhook-Signature",
  timestamp: { unit: "milliseconds", header: "X-Twenty-Webhook-Timestamp" },
  prefix: () => "",
  content: ({ timestamp, body }) => join(timestamp, ":", body),
  sign: hmac("sha256", "hex"),
  disordered: ({ timestamp, body }) => [
    join(body, ":", timestamp),
    join(timestamp, ".", body),
    join(timestamp, body),
    body,
  ],
  foreign: (right) => ["sha256=", "v0=", "v1,"].map((prefix) => prefix + right),
};

const described: Sender = {
  name: "one that is described",
  settings: {
    kind: "hmac",
    secret: "HOOK",
    header: "X-Signature",
    algorithm: "sha512",
    encoding: "base64url",
    prefix: "k1:",
    content: "{method} {url}\n{id}|{timestamp}|{body}",
    timestamp: { header: "X-Time", unit: "milliseconds" },
    id: { header: "X-Id" },
  },
  secret: "a secret of somebody",
  otherSecret: "a secret of nobody",
  signatureHeader: "X-Signature",
  timestamp: { unit: "milliseconds", header: "X-Time" },
  idHeader: "X-Id",
  prefix: () => "k1:",
  content: ({ id, timestamp, body }) => join("POST https://crm.example/hooks/token\n", id, "|", timestamp, "|", body),
  sign: hmac("sha512", "base64url"),
  disordered: ({ id, timestamp, body }) => [
    join("GET https://crm.example/hooks/token\n", id, "|", timestamp, "|", body),
    join("POST /hooks/token\n", id, "|", timestamp, "|", body),
    join("POST https://crm.example/hooks/token\n", timestamp, "|", id, "|", body),
    join("POST https://crm.example/hooks/token\n", id, timestamp, body),
    body,
  ],
  foreign: (right) => ["k2:", "K1:", "k1:k1:", "k1=", ""].map((prefix) => prefix + right),
};

/** As Paddle signs. */
const listed: Sender = {
  name: "one whose header is described as a list",
  settings: {
    kind: "hmac",
    secret: "HOOK",
    header: "Paddle-Signature",
    list: { separator: ";", signature: "h1", timestamp: "ts" },
    content: "{timestamp}:{body}",
    timestamp: {},
  },
  secret: "pdl_ntfset_a secret",
  otherSecret: "pdl_ntfset_another",
  signatureHeader: "Paddle-Signature",
  timestamp: { unit: "seconds" },
  prefix: ({ timestamp }) => `ts=${timestamp};h1=`,
  content: ({ timestamp, body }) => join(timestamp, ":", body),
  sign: hmac("sha256", "hex"),
  disordered: ({ timestamp, body }) => [join(body, ":", timestamp), join(timestamp, ".", body), body],
  foreign: (right, { timestamp }) => [
    `ts=${timestamp},h1=${right}`,
    `ts=${timestamp};h2=${right}`,
    `ts=${timestamp};ts=${timestamp};h1=${right}`,
    `h1=${right}`,
    `ts=${timestamp}`,
    `ts=${timestamp};h1=${right};`,
    right,
  ],
};

/** Everybody whose signatures are checked. */
export const senders: readonly Sender[] = [
  standardWebhooks,
  standardKeyPair,
  stripe,
  github,
  slack,
  shopify,
  twenty,
  described,
  listed,
];
