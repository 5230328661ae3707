import { describe, expect, test } from "vitest";
import type { JsonObject } from "../../../../src/json.ts";
import { judge, type Sent } from "./request.ts";

const secret = "pa+ss:wörd/é=";
const other = "pa+ss:wörd/e=";
const latin = (text: string): string => Buffer.from(text).toString("latin1");
const base64 = (text: string): string => Buffer.from(text).toString("base64");
const common = { body: Buffer.from("{}"), now: new Date(0) };

interface Way {
  readonly name: string;
  readonly settings: JsonObject;
  readonly right: ReadonlyArray<readonly [string, string]>;
  /** Values of the header, or headers, that are refused. */
  readonly wrong: ReadonlyArray<ReadonlyArray<readonly [string, string]>>;
}

const authorization = (value: string): ReadonlyArray<readonly [string, string]> => [["Authorization", value]];
const key = (value: string): ReadonlyArray<readonly [string, string]> => [["X-Key", value]];

const changes = (right: string): string[] => changed(right).filter((value) => value !== right);

const changed = (right: string): string[] => [
  "",
  " ",
  right.slice(0, -1),
  right.slice(1),
  right.slice(0, 1),
  `${right}0`,
  `${right} `,
  ` ${right}`,
  `${right}\t`,
  `${right}\0`,
  `"${right}"`,
  `${right}, ${right}`,
  `${right},`,
  right + right,
  right.toUpperCase(),
  right.toLowerCase().replace("p", "P"),
  right.replaceAll("+", " "),
  encodeURIComponent(right),
  base64(right),
  "undefined",
  "null",
  "true",
];

const ways: readonly Way[] = [
  {
    name: "a bearer token",
    settings: { kind: "bearer", secret: "HOOK" },
    right: authorization(`Bearer ${latin(secret)}`),
    wrong: [
      ...[...changes(latin(secret)), latin(other), secret, latin(secret.normalize("NFD"))].map((value) =>
        authorization(`Bearer ${value}`),
      ),
      authorization("Bearer"),
      authorization(latin(secret)),
      authorization(`Basic ${latin(secret)}`),
      authorization(`Bearer  ${latin(secret)}`),
      authorization(`Bearer:${latin(secret)}`),
      authorization(`Basic ${base64(`crm:${secret}`)}`),
      [["X-Authorization", `Bearer ${latin(secret)}`]],
      [["Proxy-Authorization", `Bearer ${latin(secret)}`]],
      [],
    ],
  },
  {
    name: "a user with a password",
    settings: { kind: "basic", user: "crm", secret: "HOOK" },
    right: authorization(`Basic ${base64(`crm:${secret}`)}`),
    wrong: [
      ...changes(base64(`crm:${secret}`)).map((value) => authorization(`Basic ${value}`)),
      ...[`crm:${other}`, `CRM:${secret}`, `:${secret}`, "crm:", "crm", secret, `crm :${secret}`, `crm:${secret}:`].map(
        (pair) => authorization(`Basic ${base64(pair)}`),
      ),
      authorization(`Basic ${Buffer.from(`crm:${secret}`, "latin1").toString("base64")}`),
      authorization(`Basic ${Buffer.from(`crm:${secret}`).toString("base64url")}`),
      authorization(`Basic ${base64(`crm:${secret}`).replace(/=*$/, "")}=====`),
      authorization(`Bearer ${base64(`crm:${secret}`)}`),
      authorization(`Basic crm:${latin(secret)}`),
      [],
    ],
  },
  {
    name: "a key in a header",
    settings: { kind: "header", header: "x-key", secret: "HOOK" },
    right: key(latin(secret)),
    wrong: [
      ...[...changes(latin(secret)), latin(other), secret].map(key),
      key(`Bearer ${latin(secret)}`),
      [["X-Key-2", latin(secret)]],
      authorization(`Bearer ${latin(secret)}`),
      [],
    ],
  },
];

describe.each(ways)("$name", ({ settings, right, wrong }) => {
  const sent = (headers: Way["right"]): Sent => ({ ...common, headers, secrets: [secret] });

  test("is let through, by the older of two values too", () => {
    expect(judge(settings, sent(right))).toEqual({ ok: true, previous: false });
    expect(judge(settings, { ...sent(right), secrets: [other, secret] })).toEqual({ ok: true, previous: true });
  });

  test("is refused in at least twenty other forms, none of which tells the secret", () => {
    expect(wrong.length).toBeGreaterThanOrEqual(20);
    const verdicts = wrong.map((headers) => ({ headers, verdict: judge(settings, sent(headers)) }));
    expect(verdicts.filter(({ verdict }) => verdict.ok)).toEqual([]);
    for (const { verdict } of verdicts) expect(JSON.stringify(verdict)).not.toContain(secret);
  });

  test("is refused when it is sent twice, whichever stands first", () => {
    const [[name, value] = ["", ""]] = right;
    for (const headers of [
      [...right, ...right],
      [...right, [name, "wrong"] as const],
      [[name, "wrong"] as const, ...right],
      [...right, [name.toUpperCase(), value] as const],
    ])
      expect(judge(settings, sent(headers))).toMatchObject({ ok: false, code: "credentials-malformed" });
  });

  test("is refused where the secret is missing, is empty or is another", () => {
    for (const [secrets, code] of [
      [[], "secret-missing"],
      [[""], "secret-missing"],
      [[other], "credentials-wrong"],
      [[`${secret}\n`], "credentials-wrong"],
    ] as const)
      expect(judge(settings, { ...sent(right), secrets })).toMatchObject({ ok: false, code });
  });
});

test("the name of HTTP's scheme may be written in any case", () => {
  for (const scheme of ["bearer", "BEARER"])
    expect(
      judge(
        { kind: "bearer", secret: "HOOK" },
        { ...common, headers: authorization(`${scheme} abc`), secrets: ["abc"] },
      ),
    ).toMatchObject({ ok: true });
});

describe("a key in the query", () => {
  const settings = { kind: "query", parameter: "key", secret: "HOOK" };
  const verdict = (query: string) => judge(settings, { ...common, headers: [], query, secrets: [secret] });
  const right = `key=${encodeURIComponent(secret)}`;

  test("is let through, wherever it stands", () => {
    for (const query of [right, `a=1&${right}`, `${right}&a=key`, `keys=1&${right}`])
      expect(verdict(query)).toEqual({ ok: true, previous: false });
  });

  test.each([
    "",
    "key",
    "key=",
    "key=%",
    `Key=${encodeURIComponent(secret)}`,
    `KEY=${encodeURIComponent(secret)}`,
    `keys=${encodeURIComponent(secret)}`,
    `key[]=${encodeURIComponent(secret)}`,
    `key=${encodeURIComponent(other)}`,
    `key=${encodeURIComponent(encodeURIComponent(secret))}`,
    `key=${secret}`,
    `key=${encodeURIComponent(secret.slice(1))}`,
    `key=${encodeURIComponent(secret.slice(0, -1))}`,
    `key=${encodeURIComponent(`${secret} `)}`,
    `key=${encodeURIComponent(`${secret}\0`)}`,
    `key=${encodeURIComponent(secret.toUpperCase())}`,
    `key=${encodeURIComponent(secret.normalize("NFD"))}`,
    `key=${encodeURIComponent(base64(secret))}`,
    `${right}&${right}`,
    `${right}&key=`,
    `key=wrong&${right}`,
    `${right}&key=wrong`,
    `${right};a=1`,
    `?${right}`,
  ])("is refused as %s", (query) => {
    expect(verdict(query)).toMatchObject({ ok: false });
  });
});
