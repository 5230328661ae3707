import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../src/json.ts";
import { authenticationSettings } from "../../../../src/triggers/webhook/authentication/settings.ts";
import { judge, type Sent } from "./request.ts";

const settings = { kind: "ip", allowFrom: ["203.0.113.0/24", "198.51.100.7", "2001:db8:1::/48", "2001:db8::7"] };
const from = (ip: string | undefined, given: JsonObject = settings) => {
  const sent: Sent = { headers: [], body: Buffer.alloc(0), now: new Date(0), secrets: ["a token"] };
  return judge(given, ip === undefined ? sent : { ...sent, ip });
};

test.each([
  "203.0.113.0",
  "203.0.113.255",
  "198.51.100.7",
  "2001:db8:1::1",
  "2001:db8:1:ffff:ffff:ffff:ffff:ffff",
  "2001:DB8:0:0:0:0:0:7",
  "::ffff:203.0.113.9",
  "::ffff:cb00:7109",
  "2001:db8::7%eth0",
])("%s may send", (ip) => {
  expect(from(ip)).toEqual({ ok: true, previous: false });
});

test.each([
  undefined,
  "",
  "203.0.112.255",
  "203.0.114.0",
  "198.51.100.6",
  "198.51.100.8",
  "198.51.100.70",
  "2001:db8::8",
  "2001:db8:2::1",
  "::ffff:203.0.112.9",
  "::203.0.113.9",
  "64:ff9b::203.0.113.9",
  "2002:cb00:7109::1",
  "::1",
  "127.0.0.1",
  "203.0.113.9, 1.2.3.4",
  "203.0.113.9:80",
  "203.0.113",
  "0313.0.0161.9",
  "3405803785",
  "localhost",
  "unknown",
])("%s may not", (ip) => {
  expect(from(ip)).toMatchObject({ ok: false, code: "address-not-allowed" });
});

test("an address comes beside the credentials: neither is enough", () => {
  const both = { kind: "query", parameter: "key", secret: "HOOK", allowFrom: ["203.0.113.0/24"] };
  const sent = { headers: [], body: Buffer.alloc(0), now: new Date(0), secrets: ["a token"] };
  const right = { ...sent, query: "key=a+token", ip: "203.0.113.9" };
  expect(judge(both, right)).toEqual({ ok: true, previous: false });
  expect(judge(both, { ...right, ip: "203.0.112.9" })).toMatchObject({ code: "address-not-allowed" });
  expect(judge(both, { ...right, query: "key=token" })).toMatchObject({ code: "credentials-wrong" });
});

describe("a list of addresses cannot hold", () => {
  test.each([
    "0.0.0.0/0",
    "::/0",
    "203.0.113.0/33",
    "203.0.113.0/-1",
    "203.0.113.0/024",
    "203.0.113.0/",
    "203.0.113.0/24/24",
    "203.0.113.0 /24",
    "203.0.113",
    "010.0.0.1",
    "0x0a.0.0.1",
    "2001:db8::/129",
    "2001:db8::7%eth0",
    "::ffff:10.0.0.0/8",
    "::ffff:a00:1",
    "example.com",
    "*",
    "",
  ])("%s", (address) => {
    expect(authenticationSettings.safeParse({ kind: "ip", allowFrom: [address] }).success).toBe(false);
  });

  test("nothing at all", () => {
    expect(authenticationSettings.safeParse({ kind: "ip", allowFrom: [] }).success).toBe(false);
    expect(authenticationSettings.safeParse({ kind: "ip" }).success).toBe(false);
  });
});
