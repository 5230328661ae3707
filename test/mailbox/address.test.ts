import { describe, expect, test } from "vitest";
import { parseAddress } from "../../src/mailbox/address.ts";

describe("an address is read strictly", () => {
  test.each([
    ["ada@example.com", { name: "", address: "ada@example.com" }],
    ["  ada@example.com ", { name: "", address: "ada@example.com" }],
    ["Ada Bar <ada@example.com>", { name: "Ada Bar", address: "ada@example.com" }],
    [
      "Žofie Nováková <zofie.n+crm@mail.example.co.uk>",
      { name: "Žofie Nováková", address: "zofie.n+crm@mail.example.co.uk" },
    ],
    ["<ada@example.com>", { name: "", address: "ada@example.com" }],
    ["O'Hara-Smith <o'hara@example.com>", { name: "O'Hara-Smith", address: "o'hara@example.com" }],
    ["tandem@localhost", { name: "", address: "tandem@localhost" }],
  ])("%s", (text, address) => {
    expect(parseAddress(text)).toEqual(address);
  });

  test.each([
    "",
    " ",
    "ada",
    "@example.com",
    "ada@",
    "ada@@example.com",
    "a@x.com\r\nBcc: v@y.com",
    "a@x.com\nRCPT TO:<v@y.com>",
    "a@x.com\u0000",
    "Ada\r\nBcc: v@y.com <a@x.com>",
    "Ada\u2028Bcc: v@y.com <a@x.com>",
    '"x@evil.com x"@internal.domain',
    '"x@evil.com" <a@x.com>',
    "x@evil.com <a@x.com>",
    "user@good(comment).evil.com",
    "a@x.com,b@y.com",
    "a@x.com, Ada <b@y.com>",
    "group: a@x.com, b@y.com;",
    "Ada <a@x.com> <b@y.com>",
    "Ada <a@x.com",
    "a@x.com>",
    "=?utf-8?Q?=0D=0ABcc:?=",
    "=?utf-8?Q?=0D=0ABcc:v=40y.com?=@x.com",
    "=?utf-8?Q?=0D=0ABcc:_v=40y.com?= <a@x.com>",
    "a@x .evil.com",
    "a b@x.com",
    "a..b@x.com",
    ".a@x.com",
    "a@-x.com",
    "a@x..com",
    "a@[127.0.0.1]",
    "a@bücher.example",
    "\u202eAda <a@x.com>",
    `${"a".repeat(65)}@x.com`,
    `a@${"b".repeat(60)}.${"c".repeat(63)}.${"d".repeat(63)}.${"e".repeat(63)}.com`,
    `${"a ".repeat(300)}<a@x.com>`,
  ])("%j is none", (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test("takes no longer for text made to be slow", () => {
    const began = performance.now();
    for (const text of [`${" ".repeat(490)}x`, `${"<".repeat(499)}>`, `${"a.".repeat(249)}@`]) parseAddress(text);
    expect(performance.now() - began).toBeLessThan(50);
  });
});
