import { describe, expect, test } from "vitest";
import { createSendEmail } from "../../src/activities/send-email.ts";
import { readConfig } from "../../src/config.ts";
import { checkInput } from "../../src/definition/validate/inputs.ts";
import type { Issue } from "../../src/errors.ts";
import type { JsonObject } from "../../src/json.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import { hello, mailContext } from "./mail-step.ts";

describe("what cannot be sent is refused before anything leaves", () => {
  const { input, prepare } = createSendEmail(createMailTransport(readConfig({})));

  test.each([
    ["a line break in the subject", { subject: "Hello\r\nBcc: v@y.com" }, "subject"],
    ["NUL in the subject", { subject: "a\u0000b" }, "subject"],
    ["NUL in the text", { text: "a\u0000b" }, "text"],
    ["a second header in an address", { to: ["a@x.com\r\nBcc: v@y.com"] }, "is no e-mail address"],
    ["two addresses in one text", { cc: "a@x.com, b@y.com" }, "but several: write them as a list"],
    ["neither text nor html", { text: undefined }, "text"],
    ["html and markdown at once", { html: "<p>x</p>", markdown: "x" }, "markdown"],
    ["a path for an attachment", { attachments: [{ name: "a", path: "/etc/passwd" }] }, "path"],
    ["a link for an attachment", { attachments: [{ name: "a", href: "http://10.0.0.1/" }] }, "href"],
    ["an attachment without data", { attachments: [{ name: "a" }] }, "base64"],
    ["text and base64 at once", { attachments: [{ name: "a", text: "a", base64: "YQ==" }] }, "base64"],
    ["what is no base64", { attachments: [{ name: "a", base64: "YQ=a" }] }, "is not base64"],
    ["a line break in a file's name", { attachments: [{ name: 'a"\r\nX: y', text: "a" }] }, "name"],
    ["a path as a file's name", { attachments: [{ name: "../../etc/cron.d/x", text: "a" }] }, "name"],
    ["an encoded word as a file's name", { attachments: [{ name: "=?utf-8?Q?a?=", text: "a" }] }, "name"],
    ["a header in a media type", { attachments: [{ name: "a", type: "text/plain\r\nX: y", text: "a" }] }, "media type"],
    ["a mail as an attachment", { attachments: [{ name: "a", type: "message/rfc822", text: "a" }] }, "media type"],
    ["parts as an attachment", { attachments: [{ name: "a", type: "multipart/mixed", text: "a" }] }, "media type"],
    ["too many attachments", { attachments: Array(21).fill({ name: "a", text: "a" }) }, "attachments"],
    ["attachments too large", { attachments: [{ name: "a", text: "a".repeat(8_000_000) }] }, "7 MiB"],
    ["a second header in the sender", { from: "a@example.org\r\nBcc: v@y.com" }, "is no e-mail address"],
    ["a second header in whom answers go to", { replyTo: ["a@x.com\nBcc: v@y.com"] }, "is no e-mail address"],
    ["what is read as another address", { to: ['"x@evil.com x"@internal.example'] }, "is no e-mail address"],
    ["a comment in an address", { to: ["user@good(comment).evil.com"] }, "is no e-mail address"],
    ["an encoded word as an address", { to: ["=?utf-8?Q?=0D=0ABcc:?= <a@x.com>"] }, "is no e-mail address"],
    ["a space in an address", { to: ["a@x .evil.com"] }, "is no e-mail address"],
    ["a record for an address", { to: [{ primaryEmail: "a@x.com" }] }, "an object is no e-mail address"],
    ["a line separator in the subject", { subject: "a\u2028b" }, "subject"],
    ["an unknown key", { headers: { Bcc: "v@y.com" } }, "headers"],
  ])("%s", (_what, fields, said) => {
    const parsed = input.safeParse({ ...hello, ...fields });
    expect(parsed.success).toBe(false);
    expect(JSON.stringify(parsed.error?.issues)).toContain(said);
  });

  test("more than fifty recipients, and not fifty", async () => {
    const to = Array.from({ length: 51 }, (_, number) => `a${number}@x.com`);
    const parse = (list: string[]) => input.parse({ ...hello, to: list });
    await expect(prepare(mailContext(), parse(to), "key")).rejects.toThrow("51 recipients");
    expect(await prepare(mailContext(), parse(to.slice(1)), "key")).toHaveProperty("request");
  });
});

describe("as it is written in a definition", () => {
  const kind = createSendEmail(createMailTransport(readConfig({ MAIL_FROM: "crm@example.org" })));
  const faultsOf = (fields: JsonObject): Issue[] => {
    const written: JsonObject = { ...hello, ...fields };
    const faults = checkInput(kind, written, "input");
    return faults.length > 0 ? faults : (kind.check?.(written, { objects: mailContext().objects, at: "input" }) ?? []);
  };

  test.each<[JsonObject]>([
    [{ to: "{{ found.records | map: 'emails.primaryEmail' }}" }],
    [{ to: ["sales@example.com", "{{ settings.team }}"], cc: [["{{ a.b }}"], []] }],
    [{ from: "{{ settings.sender }}", replyTo: "{{ trigger.body.email }}" }],
    [{ from: "Billing <billing@EXAMPLE.org>" }],
    [{ attachments: "{{ files.list }}" }],
    [
      {
        attachments: [
          { name: "{{ a.name }}.csv", text: "{{ a.csv }}" },
          { name: "a.pdf", base64: "{{ a.pdf }}" },
        ],
      },
    ],
  ])("%j will do", (fields) => expect(faultsOf(fields)).toEqual([]));

  test.each<[JsonObject, string, string]>([
    [{ to: ["sales"] }, "input.to[0]", '"sales" is no e-mail address'],
    [{ cc: [["a@x.com", "b"]] }, "input.cc[0][1]", '"b" is no e-mail address'],
    [{ to: null }, "input.to", "is missing: name whom the mail goes to"],
    [{ from: "ceo@example.com" }, "input.from", "at example.org, not from ceo@example.com"],
    [{ attachments: [{ name: "a", bas64: "YQ==" }] }, "input.attachments[0].bas64", 'did you mean "base64"?'],
  ])("%j is refused at its place", (fields, path, message) => {
    expect(faultsOf(fields)).toContainEqual({ path, message: expect.stringContaining(message) });
  });
});
