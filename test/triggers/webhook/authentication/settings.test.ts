import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { issuesOf } from "../../../../src/definition/issues.ts";
import type { JsonObject } from "../../../../src/json.ts";
import { checkAuthentication } from "../../../../src/triggers/webhook/authentication/check.ts";
import { compileAuthentication } from "../../../../src/triggers/webhook/authentication/compile.ts";
import { authenticationSettings } from "../../../../src/triggers/webhook/authentication/settings.ts";
import { judge } from "./request.ts";
import { senders } from "./senders.ts";

const webhook = z.strictObject({ authentication: authenticationSettings });

function faultsOf(authentication: JsonObject): string[] {
  const { error } = webhook.safeParse({ authentication });
  return error === undefined ? [] : issuesOf(error, webhook).map(({ path, message }) => `${path}: ${message}`);
}

const hmac = (settings: JsonObject): JsonObject => ({
  kind: "hmac",
  secret: "HOOK",
  header: "X-Signature",
  ...settings,
});

const faulty: ReadonlyArray<readonly [JsonObject, RegExp]> = [
  [{}, /^authentication.kind: needs a kind: none, ip, bearer/],
  [{ kind: "strip", secret: "HOOK" }, /^authentication.kind: unknown kind "strip"; did you mean "stripe"\?$/],
  [
    { kind: "none", secret: "HOOK" },
    /^authentication.secret: "secret" does not go together with what stands beside it/,
  ],
  [
    { kind: "stripe", secert: "HOOK", secret: "A" },
    /^authentication.secert: unknown key "secert"; did you mean "secret"\?$/,
  ],
  [{ kind: "stripe", secret: "whsec_a+b/c=" }, /^authentication.secret: the name of a secret/],
  [{ kind: "basic", user: "a:b", secret: "HOOK" }, /^authentication.user: a user name without a colon$/],
  [{ kind: "header", header: "X Key", secret: "HOOK" }, /^authentication.header: a header's name$/],
  [
    { kind: "standard-webhooks" },
    /^authentication.secret: name the secret \(whsec_…\) or give the sender's publicKeys/,
  ],
  [{ kind: "standard-webhooks", publicKeys: ["whpk_AAAA"] }, /^authentication.publicKeys\[0\]: an Ed25519 public key/],
  [{ kind: "standard-webhooks", publicKeys: [] }, /^authentication.publicKeys: /],
  [hmac({ algorithm: "md5" }), /^authentication.algorithm: /],
  [hmac({ content: "{bdy}" }), /^authentication.content: unknown part "\{bdy\}"; did you mean "body"\?$/],
  [hmac({ content: "{url}" }), /^authentication.content: must hold \{body\} once/],
  [hmac({ content: "{body}{body}" }), /^authentication.content: must hold \{body\} once/],
  [
    hmac({ content: "{timestamp}.{body}" }),
    /^authentication.content: \{timestamp\} needs `timestamp: \{ header: … \}`$/,
  ],
  [
    hmac({ timestamp: { header: "X-Time" } }),
    /^authentication.content: must hold \{timestamp\} once, as `timestamp` is given/,
  ],
  [hmac({ id: { header: "X-Id" }, content: "{id}{body}" }), /^authentication.content: \{id\} needs a text behind it/],
  [
    hmac({ prefix: "v1=", list: { signature: "v1" } }),
    /^authentication.prefix: nothing stands before a signature in a list/,
  ],
  [hmac({ list: { signature: "v 1" } }), /^authentication.list.signature: the name of an item, such as v1$/],
  [hmac({ list: { signature: "v1", timestamp: "t" } }), /^authentication.timestamp: say how the timestamp in the list/],
  [hmac({ content: "{timestamp}.{body}", timestamp: {} }), /^authentication.timestamp.header: needs the header/],
  [
    hmac({
      content: "{timestamp}.{body}",
      list: { signature: "v1", timestamp: "t" },
      timestamp: { header: "X-Time" },
    }),
    /^authentication.timestamp.header: needs the header that holds it, or its name in `list`; not both$/,
  ],
  [
    hmac({ content: "{timestamp}.{body}", timestamp: { header: "X-Time", tolerance: "2h" } }),
    /^authentication.timestamp.tolerance: from 1s to 1h$/,
  ],
];

test.each(faulty)("%j is refused with what is wrong", (authentication, said) => {
  expect(faultsOf(authentication)).toEqual([expect.stringMatching(said)]);
});

describe("a signature that is described", () => {
  const body = Buffer.from('{"a":1}');
  const now = new Date(1_795_489_552_000);
  const key = Buffer.from("0123456789abcdef0123456789abcdef", "hex");
  const verdict = (settings: JsonObject, headers: ReadonlyArray<readonly [string, string]>, secret: string) =>
    judge(hmac(settings), { headers, body, now, secrets: [secret] });

  test.each(["sha256", "sha512", "sha1"])("may be made by %s", (algorithm) => {
    const signature = createHmac(algorithm, "a secret").update(body).digest("hex");
    expect(verdict({ algorithm }, [["X-Signature", signature]], "a secret")).toMatchObject({ ok: true });
  });

  test.each(["hex", "base64", "base64url"] as const)("may be written in %s, and in nothing else", (encoding) => {
    for (const written of ["hex", "base64", "base64url"] as const) {
      const signature = createHmac("sha256", "a secret").update(body).digest(written);
      const headers = [["X-Signature", signature]] as const;
      expect(verdict({ encoding }, headers, "a secret")).toMatchObject({ ok: written === encoding });
    }
  });

  test.each(["hex", "base64"] as const)("may be under a key that is kept in %s", (secretEncoding) => {
    const signature = createHmac("sha256", key).update(body).digest("hex");
    const headers = [["X-Signature", signature]] as const;
    expect(verdict({ secretEncoding }, headers, key.toString(secretEncoding))).toMatchObject({ ok: true });
    expect(verdict({ secretEncoding }, headers, "no such!")).toMatchObject({ ok: false, code: "secret-unusable" });
    expect(verdict({}, headers, key.toString(secretEncoding))).toMatchObject({ ok: false, code: "signature-wrong" });
  });

  test("may be as old as its tolerance says, and no older", () => {
    const timestamp = { header: "X-Time", tolerance: "10s" };
    const signed = (seconds: number) => {
      const at = String(1_795_489_552 + seconds);
      const signature = createHmac("sha256", "a secret").update(`${at}.`).update(body).digest("hex");
      const headers = [["X-Signature", signature] as const, ["X-Time", at] as const];
      return verdict({ content: "{timestamp}.{body}", timestamp }, headers, "a secret");
    };
    expect([-11, -10, 10, 11].map((seconds) => signed(seconds).ok)).toEqual([false, true, true, false]);
    expect(signed(-11)).toMatchObject({ code: "timestamp-too-old" });
    expect(signed(11)).toMatchObject({ code: "timestamp-too-new" });
  });
});

test("a new value that is not of the form it must have does not shut out who uses the one before", () => {
  const settings = { kind: "standard-webhooks", secret: "HOOK" };
  const [sender] = senders;
  const secret = sender?.secret ?? "";
  const body = Buffer.from("{}");
  const content = Buffer.from("msg_1.1795489552.{}");
  const headers = [
    ["webhook-id", "msg_1"],
    ["webhook-timestamp", "1795489552"],
    ["webhook-signature", `v1,${sender?.sign(secret, content)}`],
  ] as const;
  const sent = { headers, body, now: new Date(1_795_489_552_000) };
  expect(judge(settings, { ...sent, secrets: ["no base64!", secret] })).toEqual({ ok: true, previous: true });
  expect(judge(settings, { ...sent, secrets: ["no base64!"] })).toMatchObject({ code: "secret-unusable" });
});

test("what carries credentials is named, so that it is neither logged nor handed on", () => {
  const sensitive = (settings: JsonObject) => {
    const { sensitiveHeaders, sensitiveQuery } = compileAuthentication(authenticationSettings.parse(settings));
    return [...sensitiveHeaders, ...sensitiveQuery];
  };
  expect(sensitive({ kind: "bearer", secret: "A" })).toEqual(["authorization"]);
  expect(sensitive({ kind: "header", header: "X-Key", secret: "A" })).toEqual(["x-key"]);
  expect(sensitive({ kind: "query", parameter: "Key", secret: "A" })).toEqual(["Key"]);
  for (const { settings, signatureHeader } of senders)
    expect(sensitive(settings)).toContain(signatureHeader.toLowerCase());
});

test("a secret that is not there is said to be missing, with the one that was meant", () => {
  const check = (settings: JsonObject) =>
    checkAuthentication(authenticationSettings.parse(settings), {
      secretNames: new Set(["STRIPE_WEBHOOK"]),
      at: "triggers[0].authentication",
    });
  expect(check({ kind: "stripe", secret: "STRIPE_WEBHOOK" })).toEqual([]);
  expect(check({ kind: "ip", allowFrom: ["203.0.113.7"] })).toEqual([]);
  expect(check({ kind: "stripe", secret: "STRIPE_WEBHOK" })).toEqual([
    {
      path: "triggers[0].authentication.secret",
      message: 'there is no secret "STRIPE_WEBHOK"; did you mean "STRIPE_WEBHOOK"?',
    },
  ]);
  expect(check({ kind: "bearer", secret: "OTHER" })[0]?.message).toBe(
    'there is no secret "OTHER"; make it by POST /api/secrets',
  );
});
