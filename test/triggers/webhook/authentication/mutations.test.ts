import { describe, expect, test } from "vitest";
import { authenticationKinds } from "../../../../src/triggers/webhook/authentication/settings.ts";
import { moment, mutationsOf, send } from "./mutations.ts";
import { judge } from "./request.ts";
import { senders } from "./senders.ts";

describe.each(senders)("a request of $name", (sender) => {
  const { settings, secret, otherSecret } = sender;
  const bySecret = settings["secret"] !== undefined;

  test("is let through as it was sent", () => {
    expect(judge(settings, send(sender))).toEqual({ ok: true, previous: false });
    expect(judge(settings, send(sender, { body: Buffer.alloc(0) }))).toMatchObject({ ok: true });
    expect(judge(settings, send(sender, { body: Buffer.from([0, 255, 254, 10, 13]) }))).toMatchObject({ ok: true });
  });

  test("is let through while its clock is 300 s off, either way", () => {
    for (const offset of [-300, 300])
      expect(judge(settings, send(sender, { timestamp: moment(sender, offset) }))).toMatchObject({ ok: true });
  });

  test("is let through by the name of its headers in any case", () => {
    const sent = send(sender);
    const shouted = { ...sent, headers: sent.headers.map(([name, value]) => [name.toUpperCase(), value] as const) };
    expect(judge(settings, shouted)).toMatchObject({ ok: true });
  });

  test.runIf(bySecret)("is let through by either of two secrets, and said to be by the older", () => {
    expect(judge(settings, { ...send(sender), secrets: [otherSecret, secret] })).toEqual({ ok: true, previous: true });
    expect(judge(settings, { ...send(sender), secrets: [secret, otherSecret] })).toEqual({ ok: true, previous: false });
  });

  test("is refused in at least twenty other ways, none of which tells the secret", () => {
    const mutations = mutationsOf(sender);
    expect(mutations.length).toBeGreaterThanOrEqual(40);
    const verdicts = mutations.map(([what, sent]) => ({ what, ...judge(settings, sent) }));
    expect(verdicts.filter(({ ok }) => ok).map(({ what }) => what)).toEqual([]);
    for (const verdict of verdicts) expect(JSON.stringify(verdict).replace(verdict.what, "")).not.toContain(secret);
  });
});

test("every kind that signs has a sender here", () => {
  const unsigned = ["none", "ip", "bearer", "basic", "header", "query"];
  const signed = authenticationKinds.filter((kind) => !unsigned.includes(kind));
  expect(new Set(senders.map(({ settings }) => settings["kind"]))).toEqual(new Set(signed));
});
