import { request as httpRequest } from "node:http";
import { describe, expect, test } from "vitest";
import { createTestDatabase } from "../../support/database.ts";
import { senders, type Message, type Sender } from "../../triggers/webhook/authentication/senders.ts";
import { startGateway } from "../gateway.ts";
import { createReceiver } from "./receiver.ts";

const { pool } = await createTestDatabase();
const gateway = await startGateway(pool);
const { receive, keep, deliveries } = createReceiver(gateway);

/** Sends bytes and headers as they are; headers may come twice. Gives the status. */
function post(path: string, headers: ReadonlyArray<readonly [string, string]>, body: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest(new URL(path, gateway.url), { method: "POST", headers: headers.flat() }, (answer) => {
      answer.resume().once("end", () => resolve(answer.statusCode ?? 0));
    });
    sent.once("error", reject).end(body);
  });
}

/** Headers as the sender sends them now. */
function signedHeaders(sender: Sender, body: Buffer, content: (message: Message) => Buffer): Array<[string, string]> {
  const seconds = Math.floor(Date.now() / 1_000);
  const timestamp = String(sender.timestamp?.unit === "milliseconds" ? seconds * 1_000 : seconds);
  const message: Message = { body, timestamp, id: "msg_1" };
  const signature = `${sender.prefix(message)}${sender.sign(sender.secret, content(message))}`;
  return [
    ["Host", new URL(gateway.url).host],
    ["Content-Type", "application/json"],
    ["Content-Length", String(body.length)],
    [sender.signatureHeader, signature],
    ...(sender.timestamp?.header === undefined ? [] : [[sender.timestamp.header, timestamp] as [string, string]]),
    ...(sender.idHeader === undefined ? [] : [[sender.idHeader, "msg_1"] as [string, string]]),
  ];
}

describe.each(senders.map((sender, place) => ({ ...sender, place })))("a webhook of $name", async (sender) => {
  const name = `SENDER_${sender.place}`;
  await keep(name, sender.secret.padEnd(8, "."));
  const secret = sender.settings["secret"] === undefined ? {} : { secret: name };
  const { id, hook } = await receive({ authentication: { ...sender.settings, ...secret } });
  /** Those that sign the address sign the one that others reach the gateway by. */
  const content = (message: Message): Buffer =>
    Buffer.from(sender.content(message).toString("latin1").replace("/hooks/token", hook), "latin1");
  const body = Buffer.from('{"b": 1.0, "a": "é😀"}');

  test("takes what is signed as it was sent", async () => {
    expect(await post(hook, signedHeaders(sender, body, content), body)).toBe(202);
  });

  test("refuses another body, a header that is sent twice, and none, and keeps no signature", async () => {
    const headers = signedHeaders(sender, body, content);
    const signature = headers.filter(([header]) => header === sender.signatureHeader);
    const other = Buffer.from(body.toString().replace("1.0", "2.0"));
    const without = headers.filter(([header]) => header !== sender.signatureHeader);
    expect(await post(hook, headers, other)).toBe(401);
    expect(await post(hook, [...headers, ...signature], body)).toBe(401);
    expect(await post(hook, without, body)).toBe(401);
    const logged = await deliveries(id);
    expect(logged.map(({ reason }) => (reason as { code?: string } | null)?.code ?? null).slice(0, 3)).toEqual([
      "signature-missing",
      "signature-malformed",
      "signature-wrong",
    ]);
    expect(JSON.stringify(logged)).not.toContain(signature[0]?.[1].slice(-20));
  });

  test("looks at bytes, not at the text that they are read as", async () => {
    const bytes = Buffer.concat([Buffer.from('{"a": "'), Buffer.from([0xff]), Buffer.from('"}')]);
    const text = Buffer.from(bytes.toString());
    const signedBytes = signedHeaders(sender, bytes, content);
    // Authentic, and then refused as what it is: no UTF-8.
    expect(await post(hook, signedBytes, bytes)).toBe(400);
    const signedText = signedHeaders(sender, text, content).map(([header, value]): [string, string] =>
      header === "Content-Length" ? [header, String(bytes.length)] : [header, value],
    );
    expect(await post(hook, signedText, bytes)).toBe(401);
  });
});
