import fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "./request.ts";
import { senders } from "./senders.ts";

const credentials = [
  { kind: "bearer", secret: "HOOK" },
  { kind: "basic", user: "crm", secret: "HOOK" },
  { kind: "header", header: "X-Key", secret: "HOOK" },
  { kind: "query", parameter: "key", secret: "HOOK" },
  { kind: "ip", allowFrom: ["203.0.113.0/24", "2001:db8::/32"] },
];
const all = [...credentials, ...senders.map(({ settings }) => settings)];
const names = [
  "Authorization",
  "X-Key",
  ...senders.flatMap(({ signatureHeader, timestamp, idHeader }) => [
    signatureHeader,
    ...(timestamp?.header === undefined ? [] : [timestamp.header]),
    ...(idHeader === undefined ? [] : [idHeader]),
  ]),
];
const pieces = fc.constantFrom(
  "v1,",
  "v1a,",
  "v0=",
  "sha256=",
  "k1:",
  "t=",
  "v1=",
  ",",
  ";",
  "=",
  " ",
  ".",
  "Bearer ",
  "Basic ",
  "1795489552",
  "AAAA",
  "::ffff:",
  "%",
  "\u00ff",
  "\0",
);
const text = fc.array(fc.oneof(pieces, fc.string({ maxLength: 8 })), { maxLength: 12 }).map((parts) => parts.join(""));
const sent = fc.record({
  headers: fc.array(fc.tuple(fc.constantFrom(...names), text), { maxLength: 12 }),
  body: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
  now: fc.constantFrom(new Date(0), new Date(1_795_489_552_000)),
  query: text,
  ip: fc.oneof(text, fc.ipV6(), fc.constantFrom("203.0.112.1", "::ffff:1.2.3.4", "fe80::1%eth0")),
  secrets: fc.constantFrom(["a secret of ours"], ["a secret of ours", "whsec_AAAA"]),
});

test("whatever is sent, it is refused and not stumbled over", () => {
  fc.assert(
    fc.property(sent, (given) => {
      for (const settings of all) {
        const verdict = judge(settings, given);
        expect(verdict.ok && !(settings.kind === "ip" && given.ip.startsWith("2001:db8:"))).toBe(false);
      }
    }),
    { seed: 16, numRuns: 400 },
  );
});
