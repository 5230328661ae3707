import { generateKeyPairSync, sign as signBytes } from "node:crypto";
import { sign as signLikeGitHub } from "@octokit/webhooks-methods";
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import type { JsonObject } from "../../../../src/json.ts";
import { judge } from "./request.ts";

interface Vector {
  readonly of: string;
  readonly settings: JsonObject;
  readonly headers: ReadonlyArray<readonly [string, string]>;
  readonly body: string;
  readonly secret: string;
  /** Seconds since 1970. */
  readonly at?: number;
}

const svixSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const svixPublicKey = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
const v1 = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
const wrong = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
const v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

function standard(signature: string, secret = svixSecret, body = '{"test": 2432232314}'): Vector {
  return {
    of: "Standard Webhooks",
    settings: { kind: "standard-webhooks", secret: "HOOK" },
    headers: [
      ["webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"],
      ["webhook-timestamp", "1614265330"],
      ["webhook-signature", signature],
    ],
    body,
    secret,
    at: 1_614_265_330,
  };
}

function stripe(body: string, signature: string, secret = "test_secret"): Vector {
  const headers = [["Stripe-Signature", `t=1614265330,v1=${signature}`]] as const;
  return { of: "Stripe", settings: { kind: "stripe", secret: "HOOK" }, headers, body, secret, at: 1_614_265_330 };
}

function plain(of: string, settings: JsonObject, vector: Pick<Vector, "headers" | "body" | "secret">): Vector {
  return { of, settings: { secret: "HOOK", ...settings }, ...vector };
}

function github(secret: string, body: string, signature: string): Vector {
  const headers = [["X-Hub-Signature-256", `sha256=${signature}`]] as const;
  return plain("GitHub", { kind: "github" }, { headers, body, secret });
}

function stripeHmac(body: string, signature: string): Vector {
  const headers = [["Signature", signature]] as const;
  return plain("Stripe's HMAC", { kind: "hmac", header: "Signature" }, { headers, body, secret: "test_secret" });
}

const slackBody =
  "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
const escaped = github(
  "development",
  String.raw`{"foo":"Foo\n\u001B[34mbar: ♥♥♥♥♥♥♥♥\nthis-is-lost\u001B[0m\u001B[2K"}`,
  "afecc3caa27548bb90d51a50384cb2868b9a3327b4ad6a01c9bd4ed0f8b0b12c",
);

const vectors: readonly Vector[] = [
  // github.com/standard-webhooks/standard-webhooks, the tests of its libraries; svix-server, src/worker.rs.
  standard(v1),
  standard(v1, svixSecret.slice("whsec_".length)),
  standard("v1,v48jdbgvh29KJz2Qc+ghw8G6vG3nAKnujWBg8oM/62A=", svixSecret, ""),
  standard("v1,yK2tMbA6BHPrMEJ1lLv7UlJJbgFoqGenJkiajZ29evg=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwBr"),
  standard(`${wrong} v2,abc ${v1} v1,`),
  { ...standard(v1a), settings: { kind: "standard-webhooks", publicKeys: [svixPublicKey] } },
  { ...standard(`${wrong} ${v1a}`), settings: { kind: "standard-webhooks", publicKeys: [svixPublicKey] } },
  { ...standard(v1), settings: { kind: "standard-webhooks", secret: "HOOK", publicKeys: [svixPublicKey] } },
  // Made by stripe-node 23.1.0, generateTestHeaderString.
  stripe(
    '{\n  "id": "evt_test_webhook",\n  "object": "event"\n}',
    "af4ead0627a34a8cca29808e8de9ada8e41a92e6237c63cef6eacf51d36cca34",
    "whsec_test_secret",
  ),
  stripe("", "78e8c1018d3c6a94d31c1e487195c007b191db5d470268b0eb676098d9ab2ef7"),
  stripe('{"obj1":"hello","obj2":"world"}', "10ffc8b5a5e76e296b489fae2625970c76fc75f7d03c9e446ff9c8f7a46cea65"),
  stripe("😀", "b6616aca1d6c3342db3612cb99c3ad96407aa28e5fab45c3353dfd5798b08593"),
  // The same library's tests of its HMAC.
  stripeHmac("", "f7f9bd47fb987337b5796fdc1fdb9ba221d0d5396814bfcaf9521f43fd8927fd"),
  stripeHmac('{"obj1":"hello","obj2":"world"}', "bebb1a643997f419b315ddba19e6f5411e1ce7f810ba6d3617ce72823092f363"),
  stripeHmac("😀", "837da296d05c4fe31f61d5d7ead035099d9585a5bcde87de952012a78f0b0c43"),
  // docs.github.com, "Validating webhook deliveries"; octokit/webhooks-methods.js, test/verify.test.ts.
  github(
    "It's a Secret to Everybody",
    "Hello, World!",
    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
  ),
  github("mysecret", '{"foo":"bar"}', "4864d2759938a15468b5df9ade20bf161da9b4f737ea61794142f3484236bda3"),
  escaped,
  github(
    "development",
    String.raw`{"foo":"\\u001b"}`,
    "6f8326efbacfbd04e870cea25b5652e635be8c9807f2fd5348ef60753c9e96ed",
  ),
  // docs.slack.dev, "Verifying requests from Slack".
  {
    ...plain(
      "Slack",
      { kind: "slack" },
      {
        headers: [
          ["X-Slack-Request-Timestamp", "1531420618"],
          ["X-Slack-Signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"],
        ],
        body: slackBody,
        secret: "8f742231b10e8888abcd99yyyzzz85a5",
      },
    ),
    at: 1_531_420_618,
  },
  // What @shopify/shopify-api 15.0.0, webhooks.validate, calls valid.
  plain(
    "Shopify",
    { kind: "shopify" },
    {
      headers: [["X-Shopify-Hmac-Sha256", "wkrfQeLelOOxFaAILB5MP6WjXZb4dCG8h2n4/qpMNgY="]],
      body: '{"id":820982911946154508,"email":"jon@example.com","note":"été"}',
      secret: "hush",
    },
  ),
];

const now = (at = 0): Date => new Date(at * 1_000);

test.each(vectors)("$of: $body, signed by $secret, is let through", ({ settings, headers, body, secret, at }) => {
  const sent = { headers, body: Buffer.from(body), secrets: [secret] };
  expect(judge(settings, { ...sent, now: now(at) })).toEqual({ ok: true, previous: false });
});

test.each(vectors)("$of: $body, signed by $secret, is let through by the value before", (vector) => {
  const { settings, headers, body, secret, at } = vector;
  const sent = {
    headers,
    body: Buffer.from(body),
    now: now(at),
    secrets: ["MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0", secret],
  };
  const byPublicKey = settings["secret"] === undefined;
  expect(judge(settings, sent)).toEqual({ ok: true, previous: !byPublicKey });
});

test("a signature that is known to be wrong is refused", () => {
  const { settings, headers, body, secret, at } = standard(wrong);
  expect(judge(settings, { headers, body: Buffer.from(body), now: now(at), secrets: [secret] })).toMatchObject({
    ok: false,
    code: "signature-wrong",
  });
});

test("a body is signed as it was sent, and not as it would be written anew", () => {
  // octokit/webhooks.js, issue 71.
  const settings = { kind: "github", secret: "HOOK" };
  const { headers, secret, body } = escaped;
  const sent = { headers, now: now(), secrets: [secret] };
  const anew = JSON.stringify(JSON.parse(body));
  expect(anew).toBe(body.replaceAll("001B", "001b"));
  expect(judge(settings, { ...sent, body: Buffer.from(anew) })).toMatchObject({ ok: false, code: "signature-wrong" });
});

test("what GitHub's own library signs is let through", async () => {
  for (const body of ["", "{}", '{"a": 1.0, "b":"\\u00e9 é 😀"}', "x".repeat(100_000)]) {
    const headers = [["x-hub-signature-256", await signLikeGitHub("a secret of ours", body || " ")] as const];
    const sent = { headers, body: Buffer.from(body || " "), now: now(), secrets: ["a secret of ours"] };
    expect(judge({ kind: "github", secret: "HOOK" }, sent)).toEqual({ ok: true, previous: false });
  }
});

test("what the library of Standard Webhooks signs is let through, by either name of the headers", () => {
  const at = new Date(1_795_489_552_000);
  for (const prefix of ["webhook", "svix"])
    for (const body of ["", "{}", "no JSON at all", '{"a":"é😀"}']) {
      const signature = new Webhook(svixSecret).sign("msg_1", at, body);
      const headers = [
        [`${prefix}-id`, "msg_1"],
        [`${prefix}-timestamp`, "1795489552"],
        [`${prefix}-signature`, signature],
      ] as const;
      const sent = { headers, body: Buffer.from(body), now: at, secrets: [svixSecret] };
      expect(judge({ kind: "standard-webhooks", secret: "HOOK", headers: prefix }, sent)).toMatchObject({ ok: true });
    }
});

test("a sender of Standard Webhooks may change its key pair: either public key is taken, and no third", () => {
  const pairs = [0, 1, 2].map(() => generateKeyPairSync("ed25519"));
  const written = pairs.map(({ publicKey }) => {
    const { x = "" } = publicKey.export({ format: "jwk" });
    return `whpk_${Buffer.from(x, "base64url").toString("base64")}`;
  });
  const verdicts = pairs.map(({ privateKey }) => {
    const signature = signBytes(null, Buffer.from("msg_1.1795489552.{}"), privateKey).toString("base64");
    const headers = [
      ["webhook-id", "msg_1"],
      ["webhook-timestamp", "1795489552"],
      ["webhook-signature", `v1a,${signature}`],
    ] as const;
    const sent = { headers, body: Buffer.from("{}"), now: now(1_795_489_552), secrets: [] };
    return judge({ kind: "standard-webhooks", publicKeys: written.slice(0, 2) }, sent).ok;
  });
  expect(verdicts).toEqual([true, true, false]);
});
