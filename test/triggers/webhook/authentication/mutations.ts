import type { Sent } from "./request.ts";
import type { Message, Sender } from "./senders.ts";

/** A request that must be refused, and what was done to it. */
export type Mutation = readonly [what: string, sent: Sent];

const nowSeconds = 1_795_489_552;
const now = new Date(nowSeconds * 1_000);

/** Text in which much can go wrong: spaces, escapes, characters of every length, and bytes that are no text. */
const body = Buffer.concat([
  Buffer.from('{"b": 1.0, "a": "\\u00e9 é 😀",\n"amount": 100, "note": "'),
  Buffer.from([0xff, 0xc3]),
  Buffer.from('"}'),
]);

/** Where a sender's clock stands, as it writes it. */
export function moment(sender: Sender, offsetSeconds = 0): string {
  const factor = sender.timestamp?.unit === "milliseconds" ? 1_000 : 1;
  return String((nowSeconds + offsetSeconds) * factor);
}

/** What a sender sends: signed as it is, unless something else is said. */
export function send(sender: Sender, said: Partial<Message & { signedBody: Buffer; header: string }> = {}): Sent {
  const message: Message = { body, timestamp: moment(sender), id: "msg_1", ...said };
  const signature = sender.sign(sender.secret, sender.content({ ...message, body: said.signedBody ?? message.body }));
  const headers: Array<[string, string]> = [
    ["Content-Type", "application/json"],
    [sender.signatureHeader, said.header ?? `${sender.prefix(message)}${signature}`],
  ];
  if (sender.timestamp?.header !== undefined) headers.push([sender.timestamp.header, message.timestamp]);
  if (sender.idHeader !== undefined) headers.push([sender.idHeader, message.id]);
  return { headers, body: message.body, now, secrets: [sender.secret] };
}

/** Everything that is tried on a sender's request. */
export function mutationsOf(sender: Sender): Mutation[] {
  return [
    ...ofBody(sender),
    ...ofSignature(sender),
    ...ofHeaders(sender),
    ...ofTimestamp(sender),
    ...ofId(sender),
    ...ofSecrets(sender),
  ];
}

function ofBody(sender: Sender): Mutation[] {
  const flipped = (place: number): Buffer => {
    const copy = Buffer.from(body);
    copy[place]! ^= 1;
    return copy;
  };
  const text = '{"b": 1.0, "a": "é"}';
  const changed: ReadonlyArray<readonly [string, Buffer]> = [
    ["a bit of the first byte turned", flipped(0)],
    ["a bit in the middle turned", flipped(body.length >> 1)],
    ["a bit of the last byte turned", flipped(body.length - 1)],
    ["a byte more", Buffer.concat([body, Buffer.from(" ")])],
    ["a line break more", Buffer.concat([body, Buffer.from("\n")])],
    ["a NUL more", Buffer.concat([body, Buffer.from([0])])],
    ["a byte less", body.subarray(0, -1)],
    ["the first byte less", body.subarray(1)],
    ["no body", Buffer.alloc(0)],
    ["the body twice", Buffer.concat([body, body])],
    ["a mark of byte order before it", Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body])],
    ["other line breaks", Buffer.from(body.toString("latin1").replace("\n", "\r\n"), "latin1")],
    ["another amount", Buffer.from(body.toString("latin1").replace("100", "900"), "latin1")],
    ["letters in another case", Buffer.from(body.toString("latin1").replace("amount", "Amount"), "latin1")],
    ["bytes that are no text read as text", Buffer.from(body.toString())],
  ];
  const rewritten: ReadonlyArray<readonly [string, string]> = [
    ["JSON written anew", JSON.stringify(JSON.parse(text))],
    ["keys in another order", '{"a": "é", "b": 1.0}'],
    ["another number that is equal", '{"b": 1, "a": "é"}'],
    ["characters as escapes", '{"b": 1.0, "a": "\\u00e9"}'],
    ["characters composed otherwise", text.normalize("NFD")],
  ];
  return [
    ...changed.map(([what, sent]): Mutation => [what, send(sender, { body: sent, signedBody: body })]),
    ...rewritten.map(([what, sent]): Mutation => [
      what,
      send(sender, { body: Buffer.from(sent), signedBody: Buffer.from(text) }),
    ]),
    ["text signed, bytes sent that are read as it", send(sender, { body, signedBody: Buffer.from(body.toString()) })],
    ["UTF-16 sent, UTF-8 signed", send(sender, { body: Buffer.from(text, "utf16le"), signedBody: Buffer.from(text) })],
  ];
}

function ofSignature(sender: Sender): Mutation[] {
  const message: Message = { body, timestamp: moment(sender), id: "msg_1" };
  const right = sender.sign(sender.secret, sender.content(message));
  const bytes = Buffer.from(right, /^[0-9a-f]+$/.test(right) ? "hex" : "base64");
  const otherFirst = (right.startsWith("a") ? "b" : "a") + right.slice(1);
  const replaced: ReadonlyArray<readonly [string, string]> = [
    ["no signature behind the beginning", ""],
    ["the first character another", otherFirst],
    ["the last three characters others", right.slice(0, -3) + (right.endsWith("00=") ? "11=" : "00=")],
    ["the last character missing", right.slice(0, -1)],
    ["half of it", right.slice(0, right.length / 2)],
    ["one character of it", right.slice(0, 1)],
    ["a character more", `${right}0`],
    ["twice in a row", right + right],
    ["in the other case", right === right.toLowerCase() ? right.toUpperCase() : right.toLowerCase()],
    ["between quotes", `"${right}"`],
    ["with a space in it", `${right.slice(0, 9)} ${right.slice(9)}`],
    ["with a tab behind it", `${right}\t`],
    ["with a NUL behind it", `${right}\0`],
    [
      "in hexadecimal or base64, whichever it is not",
      bytes.toString(right === bytes.toString("hex") ? "base64" : "hex"),
    ],
    ["with its bytes the other way round", Buffer.from(bytes).reverse().toString("base64")],
    ["zeros", "0".repeat(right.length)],
    ["the secret itself", sender.secret],
    ["the body's plain hash", sender.sign("", body)],
    ["of another body", sender.sign(sender.secret, sender.content({ ...message, body: Buffer.from("{}") }))],
    ["under another secret", sender.sign(sender.otherSecret, sender.content(message))],
    ["characters beyond ASCII", right.replace(/./, "\u00e9")],
  ];
  const signed = (content: Buffer): string => sender.prefix(message) + sender.sign(sender.secret, content);
  return [
    ...replaced
      .filter(([, signature]) => signature !== right)
      .map(([what, signature]): Mutation => [what, send(sender, { header: sender.prefix(message) + signature })]),
    ...sender
      .foreign(right, message)
      .map((header): Mutation => [`a header of the form ${header.replaceAll(right, "…")}`, send(sender, { header })]),
    ...sender
      .disordered(message)
      .map((content, place): Mutation => [
        `other content signed (${place})`,
        send(sender, { header: signed(content) }),
      ]),
  ];
}

function ofHeaders(sender: Sender): Mutation[] {
  const sent = send(sender);
  const { headers } = sent;
  const name = sender.signatureHeader;
  const right = headers.find(([known]) => known === name)?.[1] ?? "";
  const others = headers.filter(([known]) => known !== name);
  const wrong = `${right.slice(0, -1)}!`;
  const withHeaders = (what: string, ...signatures: Array<readonly [string, string]>): Mutation => [
    what,
    { ...sent, headers: [...others, ...signatures] },
  ];
  return [
    withHeaders("no header with a signature"),
    withHeaders("an empty one", [name, ""]),
    withHeaders("the same twice", [name, right], [name, right]),
    withHeaders("a wrong one first", [name, wrong], [name, right]),
    withHeaders("a wrong one behind it", [name, right], [name, wrong]),
    withHeaders("twice, in another case", [name.toLowerCase(), right], [name.toUpperCase(), right]),
    withHeaders("a wrong and a right one, joined as Node joins them", [name, `${wrong}, ${right}`]),
    withHeaders("under another name", [`${name}-2`, right]),
    withHeaders("as a token", ["Authorization", `Bearer ${right}`]),
  ];
}

function ofTimestamp(sender: Sender): Mutation[] {
  const { timestamp } = sender;
  if (timestamp === undefined) return [];
  const at = moment(sender);
  const scale = timestamp.unit === "milliseconds" ? 1_000 : 1;
  // Each of them signed as it is written: only how it is read can refuse it.
  const written: ReadonlyArray<readonly [string, string]> = [
    ["301 s old", moment(sender, -301)],
    ["301 s ahead", moment(sender, 301)],
    ["a day old", moment(sender, -86_400)],
    ["a year ahead", moment(sender, 31_536_000)],
    ["in the other unit", scale === 1 ? `${at}000` : at.slice(0, -3)],
    ["zero", "0"],
    ["with letters behind it", `${at}abc`],
    ["with a fraction", `${at}.9`],
    ["with a sign", `+${at}`],
    ["below zero", `-${at}`],
    ["with a space before it", ` ${at}`],
    ["with an exponent", "1.795489552e9"],
    ["in hexadecimal", `0x${Number(at).toString(16)}`],
    ["as a date", "2026-11-24T03:05:52Z"],
    ["with separators", `1_${at.slice(1)}`],
    ["far too long", at.padStart(40, "0")],
    ["no number", "NaN"],
    ["endless", "Infinity"],
  ];
  const changed = send(sender);
  const header = timestamp.header ?? "";
  const at1 = moment(sender, 1);
  return [
    ...written.map(([what, text]): Mutation => [`a timestamp ${what}`, send(sender, { timestamp: text })]),
    [
      "a timestamp changed by a second",
      timestamp.header === undefined
        ? send(sender, { header: (changed.headers[1]?.[1] ?? "").replace(at, at1) })
        : { ...changed, headers: changed.headers.map(([name, value]) => [name, name === header ? at1 : value]) },
    ],
    ...(timestamp.header === undefined
      ? []
      : [
          ["no timestamp", { ...changed, headers: changed.headers.filter(([name]) => name !== header) }] as const,
          ["an empty timestamp", send(sender, { timestamp: "" })] as const,
          ["two timestamps", { ...changed, headers: [...changed.headers, [header, at]] }] as const,
          ["an old timestamp before it", { ...changed, headers: [[header, "1"], ...changed.headers] }] as const,
        ]),
  ];
}

function ofId(sender: Sender): Mutation[] {
  const { idHeader } = sender;
  if (idHeader === undefined) return [];
  const sent = send(sender);
  const without = sent.headers.filter(([name]) => name !== idHeader);
  const at = moment(sender);
  return [
    ["no id", { ...sent, headers: without }],
    ["another id", { ...sent, headers: [...without, [idHeader, "msg_2"]] }],
    ["two ids", { ...sent, headers: [...sent.headers, [idHeader, "msg_1"]] }],
    ["an empty id", send(sender, { id: "" })],
    ["an id with what separates it", send(sender, { id: "msg.1|2" })],
    ["an id with a space", send(sender, { id: "msg 1" })],
    ["an id that is far too long", send(sender, { id: "m".repeat(300) })],
    // One signature, read in two ways: the id ends earlier, and the body begins earlier.
    ...[".", "|"].map((separator): Mutation => {
      const signed = send(sender, { id: `msg${separator}${at}` });
      return ["an id cut in two", { ...signed, headers: [...without, [idHeader, "msg"]] }];
    }),
  ];
}

function ofSecrets(sender: Sender): Mutation[] {
  const sent = send(sender);
  if (sender.settings["secret"] === undefined) return [];
  return [
    ["another secret here", { ...sent, secrets: [sender.otherSecret] }],
    ["two other secrets here", { ...sent, secrets: [sender.otherSecret, `${sender.otherSecret}AAAA`] }],
    ["no secret here", { ...sent, secrets: [] }],
    ["an empty secret here", { ...sent, secrets: [""] }],
    ["a secret with a line break here", { ...sent, secrets: [`${sender.secret}\n`] }],
    ["a secret without its end here", { ...sent, secrets: [sender.secret.slice(0, -1)] }],
    ["a secret in the other case here", { ...sent, secrets: [sender.secret.toUpperCase()] }],
  ];
}
