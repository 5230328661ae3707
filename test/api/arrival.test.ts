import { request, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, expect, test } from "vitest";
import { openFile } from "../../src/api/body/open-file.ts";
import { readBody } from "../../src/api/body/read-body.ts";
import { listen } from "../../src/api/listen.ts";

const limitMs = 300;

async function answer(asked: IncomingMessage, response: ServerResponse): Promise<void> {
  let bytes = 0;
  if (asked.url === "/file") for await (const chunk of openFile(asked)) bytes += chunk.length;
  else bytes = (await readBody(asked, 1_000)).length;
  response.end(String(bytes));
}

const server = await listen((asked, response) => void answer(asked, response).catch(() => response.destroy()), {
  host: "127.0.0.1",
  port: 0,
  limitMs,
});
afterAll(() => server.close());

/** Sends a byte at a time; gives the status and the body of the answer. */
function trickle(path: string): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    const sent = request({ port: server.port, method: "PUT", path }, (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => (text += chunk));
      response.on("close", () => resolve([response.statusCode, text]));
    });
    sent.on("error", reject);
    void (async () => {
      for (let i = 0; i < 10 && !sent.destroyed; i++) {
        sent.write("x");
        await delay(limitMs / 5);
      }
      sent.end();
    })();
  });
}

test("a body that trickles is cut off with 408", async () => {
  expect(await trickle("/body")).toEqual([408, ""]);
});

test("a file may take as long as it does, while it goes on coming", async () => {
  expect(await trickle("/file")).toEqual([200, "10"]);
});
