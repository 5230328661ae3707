import { createSocket, type Socket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { isIP } from "node:net";
import type { Resolve } from "../../src/http/connector.ts";

/** What a name server says of a name: each query gets the next list, the last one stays. */
export type Zone = Record<string, readonly (readonly string[])[]>;

/** A name server of the test's own, over UDP on loopback. */
export interface TestDns {
  /** Resolves by this server alone, as a program with that name server configured does. */
  readonly resolve: Resolve;
  /** How often a name's addresses were asked for; both families count once. */
  asked(name: string): number;
  close(): Promise<void>;
}

/** Starts it. A name that it does not know does not exist; one without any list is never answered. */
export async function startDns(zone: Zone): Promise<TestDns> {
  const asked = new Map<string, number>();
  const socket = createSocket("udp4");
  socket.on("message", (query, peer) => {
    const answer = answerTo(query, zone, asked);
    if (answer !== undefined) socket.send(answer, peer.port, peer.address);
  });
  const port = await bound(socket);
  const resolver = new Resolver({ timeout: 1_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${port}`]);
  return {
    async resolve(name) {
      // One after the other, so that both families see the same answer of a name that changes its own.
      const [v4, v6] = [await resolver.resolve4(name).catch(none), await resolver.resolve6(name).catch(none)];
      if (v4.length + v6.length === 0) throw Object.assign(new Error(`${name} does not exist`), { code: "ENOTFOUND" });
      return [...v4, ...v6];
    },
    asked: (name) => asked.get(name) ?? 0,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function none(): string[] {
  return [];
}

function bound(socket: Socket): Promise<number> {
  return new Promise((resolve) => {
    socket.bind(0, "127.0.0.1", () => resolve(socket.address().port));
  });
}

const typeA = 1;
const typeAaaa = 28;

/** RFC 1035 §4.1, as much of it as a stub resolver asks. */
function answerTo(query: Buffer, zone: Zone, asked: Map<string, number>): Buffer | undefined {
  const { name, end } = readName(query);
  const type = query.readUInt16BE(end);
  const question = query.subarray(12, end + 4);
  const lists = Object.hasOwn(zone, name) ? zone[name] : undefined;
  if (lists?.length === 0) return undefined;
  const before = asked.get(name) ?? 0;
  const list = lists?.[Math.min(before, lists.length - 1)] ?? [];
  // Addresses of both families belong to one question: it is over with the second.
  if (type === typeAaaa) asked.set(name, before + 1);
  const wanted = list.filter((address) => isIP(address) === (type === typeA ? 4 : 6));
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(lists === undefined ? 0x8183 : 0x8180, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(wanted.length, 6);
  return Buffer.concat([header, question, ...wanted.map((address) => record(address, type))]);
}

function readName(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let position = 12;
  for (let length = query[position] ?? 0; length > 0; length = query[position] ?? 0) {
    labels.push(query.toString("latin1", position + 1, position + 1 + length));
    position += length + 1;
  }
  return { name: labels.join("."), end: position + 1 };
}

/** An answer about the question's name, good for no time at all. */
function record(address: string, type: number): Buffer {
  const data = type === typeA ? Buffer.from(address.split(".").map(Number)) : bytesOfV6(address);
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

function bytesOfV6(address: string): Buffer {
  const [left = "", right] = address.split("::");
  const groups = (text: string): number[] => (text === "" ? [] : text.split(":").map((group) => parseInt(group, 16)));
  const [head, tail] = [groups(left), groups(right ?? "")];
  const middle = right === undefined ? [] : Array.from({ length: 8 - head.length - tail.length }, () => 0);
  return Buffer.from([...head, ...middle, ...tail].flatMap((group) => [group >> 8, group & 0xff]));
}
