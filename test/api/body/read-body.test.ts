import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import express from "express";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readBody } from "../../../src/api/body/read-body.ts";
import { listen, type Listening } from "../../../src/api/listen.ts";
import { problemHandler } from "../../../src/api/problem.ts";
import { createLog } from "../../../src/log.ts";

const limit = 1_000;
let server: Listening;

beforeAll(async () => {
  const app = express();
  app.post("/", async (request, response) => {
    response.json({ bytes: (await readBody(request, limit)).length });
  });
  app.use(problemHandler(createLog("test", "fatal")));
  server = await listen(app, { host: "127.0.0.1", port: 0 });
});
afterAll(() => server.close());

function post(body: Uint8Array<ArrayBuffer> | ReadableStream, headers: Record<string, string> = {}): Promise<Response> {
  const options = { method: "POST", body, headers, duplex: "half" as const };
  return fetch(`http://127.0.0.1:${server.port}/`, options);
}

/** `bytes` bytes in pieces, without a Content-Length. */
function stream(bytes: number): ReadableStream {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      const size = Math.min(left, 64 * 1024);
      if (size === 0) return controller.close();
      left -= size;
      controller.enqueue(new Uint8Array(size));
    },
  });
}

/** What the server says to raw bytes; the connection is ours to close. */
function exchange(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("latin1").on("error", reject);
    let answer = "";
    socket.on("data", (piece: string) => {
      answer += piece;
      if (answer.includes("}")) socket.destroy();
    });
    socket.on("close", () => resolve(answer));
  });
}

describe("a body", () => {
  test("at the limit is read, announced or in pieces", async () => {
    expect(await (await post(new Uint8Array(limit))).json()).toEqual({ bytes: limit });
    expect(await (await post(stream(limit))).json()).toEqual({ bytes: limit });
  });

  test("one byte past the limit is 413, announced or in pieces", async () => {
    expect((await post(new Uint8Array(limit + 1))).status).toBe(413);
    expect((await post(stream(limit + 1))).status).toBe(413);
  });

  test("of 20 MB is answered with 413 while it is still on its way, and the sender reads the answer", async () => {
    const answer = await post(new Uint8Array(20_000_000));
    expect(answer.status).toBe(413);
    expect(answer.headers.get("content-type")).toContain("application/problem+json");
    expect(await answer.json()).toMatchObject({ status: 413, code: "body-too-large" });
  });

  test("that announces too much is refused before any of it arrives", async () => {
    expect(await exchange(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 413/,
    );
  });

  test("with gzip is inflated", async () => {
    const headers = { "content-encoding": "gzip" };
    expect(await (await post(new Uint8Array(gzipSync("hello")), headers)).json()).toEqual({ bytes: 5 });
  });

  test("that inflates past the limit is 413, without being inflated further", async () => {
    const bomb = new Uint8Array(gzipSync(Buffer.alloc(500_000)));
    expect(bomb.length).toBeLessThan(limit);
    expect((await post(bomb, { "content-encoding": "gzip" })).status).toBe(413);
  });

  test("that is not the gzip it says it is, or half of it, is 400", async () => {
    const headers = { "content-encoding": "gzip" };
    expect((await post(new Uint8Array([1, 2, 3]), headers)).status).toBe(400);
    expect((await post(new Uint8Array(gzipSync("hello hello hello")).slice(0, 15), headers)).status).toBe(400);
  });

  test("in another encoding is 415", async () => {
    const answer = await post(new Uint8Array(1), { "content-encoding": "br" });
    expect(answer.status).toBe(415);
    expect(answer.headers.get("accept-encoding")).toBe("gzip, identity");
  });
});
