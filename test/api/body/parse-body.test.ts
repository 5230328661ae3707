import { describe, expect, test } from "vitest";
import { parseBody } from "../../../src/api/body/parse-body.ts";
import { parseForm } from "../../../src/api/body/parse-form.ts";

const form = "application/x-www-form-urlencoded";
const bytes = (text: string, encoding: BufferEncoding = "utf8"): Buffer => Buffer.from(text, encoding);
const multipart = (fields: string): [Buffer, string] => [
  bytes(fields.replaceAll("\n", "\r\n")),
  "multipart/form-data; boundary=xx",
];

describe("a body", () => {
  test("without a content type is JSON, and nothing at all is null", async () => {
    expect(await parseBody(bytes('{"a":1}'), undefined)).toEqual({ a: 1 });
    expect(await parseBody(bytes(""), undefined)).toBeNull();
  });

  test.each(["application/json", "Application/JSON; charset=UTF-8", "application/cloudevents+json"])(
    "of type %s is JSON",
    async (type) => {
      expect(await parseBody(bytes('{"a":1}'), type)).toEqual({ a: 1 });
    },
  );

  test("drops a byte order mark", async () => {
    expect(await parseBody(bytes("\ufeff[1]"), "application/json")).toEqual([1]);
  });

  test("of a form gives text, and a list for a field given twice", async () => {
    expect(await parseBody(bytes("name=Ada+L%C3%B6w&tag=a&tag=b&empty=&flag"), form)).toEqual({
      name: "Ada Löw",
      tag: ["a", "b"],
      empty: "",
      flag: "",
    });
  });

  test("of multipart fields gives text", async () => {
    const [body, type] = multipart(
      '--xx\nContent-Disposition: form-data; name="email"\n\nada@x.example\n--xx\nContent-Disposition: form-data; name="note"\n\nLöw\n--xx--\n',
    );
    expect(await parseBody(body, type)).toEqual({ email: "ada@x.example", note: "Löw" });
  });

  test("with a file says that files are not accepted", async () => {
    const [body, type] = multipart(
      '--xx\nContent-Disposition: form-data; name="cv"; filename="cv.txt"\nContent-Type: text/plain\n\nhello\n--xx--\n',
    );
    await expect(parseBody(body, type)).rejects.toMatchObject({
      status: 400,
      message: expect.stringContaining("cv is a file"),
    });
  });

  test.each<[string, Buffer, string | undefined]>([
    ["JSON that is not UTF-8", Buffer.from([0x22, 0xff, 0x22]), "application/json"],
    ["JSON with a surrogate in UTF-8", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "application/json"],
    ["JSON with an overlong encoding", Buffer.from([0x22, 0xc0, 0x80, 0x22]), "application/json"],
    ["JSON with a raw NUL", Buffer.from([0x22, 0x00, 0x22]), "application/json"],
    ["empty JSON", bytes(""), "application/json"],
    ["a form with a NUL", bytes("a=%00"), form],
    ["a form that is not UTF-8", bytes("a=%ff"), form],
    ["a form with half an escape", bytes("a=%2"), form],
    ["a form with __proto__", bytes("__proto__=1"), form],
    ["a form of 1,001 fields", bytes("a=1&".repeat(1_001)), form],
    ["multipart without its boundary", bytes("--xx"), "multipart/form-data"],
    ["multipart that never ends", ...multipart('--xx\nContent-Disposition: form-data; name="a"\n\n1')],
    [
      "multipart with bytes that are not UTF-8",
      Buffer.from('--xx\r\nContent-Disposition: form-data; name="a"\r\n\r\n\xff\r\n--xx--\r\n', "latin1"),
      "multipart/form-data; boundary=xx",
    ],
  ])("refuses %s with 400", async (_what, body, type) => {
    await expect(parseBody(body, type)).rejects.toMatchObject({ status: 400 });
  });

  test.each([
    "text/plain",
    "application/xml",
    "text/json",
    "application/octet-stream",
    "application/json; charset=iso-8859-1",
  ])("of type %s is refused with 415", async (type) => {
    await expect(parseBody(bytes("{}"), type)).rejects.toMatchObject({ status: 415 });
  });
});

test("a query is read like a form", () => {
  expect(parseForm("utm_source=x&utm_source=y&q=a%20b")).toEqual({ utm_source: ["x", "y"], q: "a b" });
});
