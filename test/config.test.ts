import express from "express";
import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";

test.each(["127.0.0.1", "loopback, 10.0.0.0/8", "2001:db8::/32,uniquelocal", "::1"])(
  "TRUST_PROXY may be %s",
  (given) => {
    const { TRUST_PROXY } = readConfig({ TRUST_PROXY: given });
    expect(TRUST_PROXY).toBe(given);
    expect(() => express().set("trust proxy", TRUST_PROXY)).not.toThrow();
  },
);

test.each(["true", "1", "*", "10.0.0.0/0", "10.0.0.0/33", "10.0.0.0/8/8", "proxy.example", "10.0.0.1,"])(
  "TRUST_PROXY is refused where it is %s, with what it may be",
  (given) => {
    expect(() => readConfig({ TRUST_PROXY: given })).toThrow(
      /TRUST_PROXY: addresses or ranges with commas between them/,
    );
  },
);

test("an empty variable counts as absent", () => {
  expect(readConfig({ TRUST_PROXY: "" }).TRUST_PROXY).toBeUndefined();
});
