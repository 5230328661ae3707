import { createServer } from "node:https";
import { createServer as createTcpServer } from "node:net";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { createHttpClient, type Call } from "../../src/http/client.ts";
import { authority, billing } from "./certificates.ts";
import { callOf, closeServer, listening, outcomeOf, startApi, startRaw } from "./support.ts";

const client = createHttpClient({ own: [] });
afterAll(() => client.close());

const page = "x".repeat(2_000);

describe("an answer's body", () => {
  it("is unpacked, however it was packed", async () => {
    const packed: Record<string, Buffer> = {
      gzip: gzipSync(page),
      br: brotliCompressSync(page),
      deflate: deflateSync(page),
      "gzip, br": brotliCompressSync(gzipSync(page)),
    };
    for (const [encoding, body] of Object.entries(packed)) {
      const api = await startApi((_, response) => response.writeHead(200, { "content-encoding": encoding }).end(body));
      const { answer } = await outcomeOf(client, callOf(api.url));
      expect([encoding, answer?.body.toString()]).toEqual([encoding, page]);
    }
    const bare = await startApi((_, response) =>
      response.writeHead(200, { "content-encoding": "deflate" }).end(deflateRawSync(page)),
    );
    expect((await outcomeOf(client, callOf(bare.url))).answer?.body.toString()).toBe(page);
  });

  it("is refused where it would swell beyond its size or beyond reason, and memory stays small", async () => {
    const bombs: Record<string, Buffer> = {
      gzip: gzipSync(Buffer.alloc(200_000_000)),
      br: brotliCompressSync(Buffer.alloc(64_000_000)),
    };
    const before = process.memoryUsage.rss();
    for (const [encoding, body] of Object.entries(bombs)) {
      const api = await startApi((_, response) => response.writeHead(200, { "content-encoding": encoding }).end(body));
      const { error } = await outcomeOf(client, callOf(api.url, { maximumBytes: 10_485_760 }));
      expect([encoding, error?.code]).toEqual([encoding, "response-too-large"]);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(100_000_000);
  });

  it("is refused when it is packed again and again, or not as it says", async () => {
    for (const encoding of ["gzip, gzip, gzip", "gzip, gzip, gzip, gzip, gzip, gzip", "gzip", "zstd"]) {
      const api = await startApi((_, response) =>
        response.writeHead(200, { "content-encoding": encoding }).end("plain"),
      );
      expect([encoding, (await outcomeOf(client, callOf(api.url))).error?.code]).toEqual([
        encoding,
        "invalid-response",
      ]);
    }
  });

  it("is refused at its first byte too many, whether its length was said or not", async () => {
    const fits = await startApi((_, response) => response.end(Buffer.alloc(4_096)));
    expect((await outcomeOf(client, callOf(fits.url, { maximumBytes: 4_096 }))).answer?.body.length).toBe(4_096);
    const said = await startApi((_, response) =>
      response.writeHead(200, { "content-length": 4_097 }).end(Buffer.alloc(4_097)),
    );
    expect((await outcomeOf(client, callOf(said.url, { maximumBytes: 4_096 }))).error?.code).toBe("response-too-large");
    // Of a HEAD the length is what is asked for.
    const head = await outcomeOf(client, callOf(said.url, { method: "HEAD", maximumBytes: 4_096 }));
    expect(head.answer?.headers["content-length"]).toBe("4097");
    // Never ends by itself: who reads it to its end reads for ever.
    const endless = await startRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
      const more = (): void => void (socket.destroyed || socket.write(`400\r\n${"y".repeat(1_024)}\r\n`, more));
      more();
    });
    expect((await outcomeOf(client, callOf(endless.url, { maximumBytes: 4_096 }))).error?.code).toBe(
      "response-too-large",
    );
  });
});

describe("a target that does not behave", () => {
  it("has its time, all in all, however slowly it goes on", async () => {
    const trickles = await startRaw((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
      const drip = setInterval(() => socket.write("z"), 50);
      socket.once("close", () => clearInterval(drip));
    });
    const silent = await startRaw(() => {});
    for (const { url } of [trickles, silent]) {
      const begun = performance.now();
      const { error } = await outcomeOf(client, callOf(url, { timeoutMs: 500 }));
      expect([error?.code, error?.retryable, error?.details["unsure"]]).toEqual(["timeout", true, true]);
      expect(performance.now() - begun).toBeLessThan(2_000);
    }
  });

  it("is found out, whatever it says in the place of HTTP", async () => {
    const answers: Record<string, [said: string, code: string]> = {
      "HTTP/0.9": ["<html>hello</html>", "connection-broken"],
      "a chunk without a size": [
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        "connection-broken",
      ],
      "less than it said": ["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", "connection-broken"],
      "two lengths": ["HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello", "connection-broken"],
      "a megabyte of headers": [`HTTP/1.1 200 OK\r\nx: ${"h".repeat(1_048_576)}\r\n\r\n`, "response-too-large"],
      "a hundred thousand headers": [`HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(100_000)}\r\n`, "response-too-large"],
      "headers that never end": ["HTTP/1.1 200 OK\r\nx: y\r\n", "connection-broken"],
      nothing: ["", "connection-broken"],
    };
    for (const [what, [said, code]] of Object.entries(answers)) {
      const api = await startRaw((socket) => socket.end(said));
      const { error } = await outcomeOf(client, callOf(api.url));
      expect([what, error?.code]).toEqual([what, code]);
    }
  });

  it("may say that it goes on, but not for ever", async () => {
    const floods = await startRaw((socket) => {
      const more = (): void =>
        void (socket.destroyed || socket.write("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n", more));
      more();
    });
    const { error } = await outcomeOf(client, callOf(floods.url, { timeoutMs: 700 }));
    expect(["timeout", "connection-broken"]).toContain(error?.code);
  });

  it("may have done what broke its line, also where nobody is reached when that is sent again", async () => {
    const server = createTcpServer((socket) => {
      socket.once("data", () => {
        server.close();
        socket.destroy();
      });
    });
    const port = await listening(server, "127.0.0.1");
    const { error } = await outcomeOf(client, callOf(`http://127.0.0.1:${port}/`, { method: "PUT" }));
    expect([error?.code, error?.details["unsure"]]).toEqual(["not-connected", true]);
  });

  it("is not to blame for a line that it had closed before", async () => {
    let answered = 0;
    const api = await startRaw((socket) => {
      answered += 1;
      socket.write("HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok");
      // The next request on this line meets its end.
      socket.once("data", () => socket.destroy());
    });
    expect((await outcomeOf(client, callOf(api.url))).answer?.status).toBe(200);
    expect((await outcomeOf(client, callOf(api.url))).answer?.status).toBe(200);
    expect(answered).toBe(2);
  });
});

describe("a request that must not go twice", () => {
  it("goes on a line of its own, so that a refused line means that nothing was sent", async () => {
    const api = await startApi((_, response) => response.end("ok"));
    const post = callOf(api.url, { method: "POST", body: Buffer.from("{}"), repeatable: false });
    await outcomeOf(client, post);
    await outcomeOf(client, post);
    expect(api.asked.map(({ headers }) => headers.connection)).toEqual(["close", "close"]);
    const refused = await outcomeOf(client, callOf("http://127.0.0.1:1/", { method: "POST", repeatable: false }));
    expect([refused.error?.code, refused.error?.details["unsure"]]).toEqual(["not-connected", undefined]);
  });

  it("may have been done when its line breaks, and is sent once", async () => {
    let asked = 0;
    const api = await startRaw((socket) => {
      asked += 1;
      socket.destroy();
    });
    const { error } = await outcomeOf(client, callOf(api.url, { method: "POST", repeatable: false }));
    expect([error?.code, error?.details["unsure"], asked]).toEqual(["connection-broken", true, 1]);
  });

  it("was done when it was redirected elsewhere, whatever happens there", async () => {
    const api = await startApi((request, response) => {
      if (request.method === "POST") response.writeHead(303, { location: "http://127.0.0.1:1/" }).end();
    });
    const reach = { allowedHosts: ["127.0.0.1"], allowHttp: true };
    const { error } = await outcomeOf(client, callOf(api.url, { method: "POST", repeatable: false, reach }));
    expect([error?.code, error?.details["unsure"]]).toEqual(["not-connected", true]);
  });

  it("is not sent any more once its step is cancelled", async () => {
    const api = await startApi(() => {});
    const ending = new AbortController();
    const sent = outcomeOf(client, callOf(api.url, { method: "POST", repeatable: false, signal: ending.signal }));
    while (api.asked.length === 0) await new Promise(setImmediate);
    ending.abort(new Error("cancelled"));
    expect((await sent).error?.message).toBe("cancelled");
  });
});

describe("a certificate", () => {
  it("must be the target's, by an authority that everybody trusts or the connection names", async () => {
    const server = createServer(billing, (request, response) => response.end(request.headers.host));
    const port = await listening(server, "127.0.0.1");
    onTestFinished(() => closeServer(server));
    const names = createHttpClient({ own: [], resolve: async () => ["127.0.0.1"] });
    onTestFinished(() => names.close());
    const reach = { allowedHosts: ["billing.test", "other.test", "127.0.0.1"], allowHttp: false };
    const codeOf = async (url: string, more: Partial<Call>): Promise<string | undefined> =>
      (await outcomeOf(names, callOf(url, { reach, ...more }))).error?.code;
    const trusting = { certificateAuthority: authority };
    const { answer } = await outcomeOf(names, callOf(`https://billing.test:${port}/`, { reach, ...trusting }));
    expect(answer?.body.toString()).toBe(`billing.test:${port}`);
    expect(await codeOf(`https://billing.test:${port}/`, {})).toBe("certificate");
    expect(await codeOf(`https://other.test:${port}/`, trusting)).toBe("certificate");
    expect(await codeOf(`https://127.0.0.1:${port}/`, trusting)).toBe("certificate");
    // A line that was made with trust is none for who does not trust.
    expect(await codeOf(`https://billing.test:${port}/`, {})).toBe("certificate");
  });
});

describe("a redirect", () => {
  it("is followed five times, and no further", async () => {
    const hops = async (most: number) => {
      const api = await startApi((request, response) => {
        const hop = Number(request.url?.slice(1) ?? 0);
        if (hop < most) response.writeHead(302, { location: `/${hop + 1}` }).end();
        else response.end("there");
      });
      return outcomeOf(client, callOf(`${api.url}/0`));
    };
    expect((await hops(5)).answer?.body.toString()).toBe("there");
    expect((await hops(6)).error?.code).toBe("too-many-redirects");
    expect((await hops(21)).error?.code).toBe("too-many-redirects");
  });

  it("takes nothing along to another origin that says who asks", async () => {
    const other = await startApi((_, response) => response.end("there"));
    const api = await startApi((_, response) => response.writeHead(302, { location: `${other.url}/x` }).end());
    const headers = {
      authorization: "Bearer s",
      cookie: "a=b",
      "x-api-key": "k",
      "x-own": "1",
      accept: "text/plain",
      "tandem-origin": "o",
    };
    const authorization = { headers: { "x-token": "t" }, query: { key: "q" } };
    const reach = { allowedHosts: ["127.0.0.1"], allowHttp: true };
    const { answer } = await outcomeOf(client, callOf(`${api.url}/`, { headers, authorization, reach }));
    expect(answer?.url.href).toBe(`${other.url}/x`);
    expect(api.asked[0]).toMatchObject({ url: "/?key=q", headers: { ...headers, "x-token": "t" } });
    expect(Object.keys(other.asked[0]?.headers ?? {}).toSorted()).toEqual([
      "accept",
      "accept-encoding",
      "connection",
      "host",
      // Or chains that come back by a redirect would have no end.
      "tandem-origin",
      "user-agent",
    ]);
  });

  it("changes the method as RFC 9110 says, and never hands a body to another origin", async () => {
    const other = await startApi((_, response) => response.end());
    for (const [status, method] of [
      [301, "GET"],
      [302, "GET"],
      [303, "GET"],
      [307, "POST"],
      [308, "POST"],
    ] as const) {
      const api = await startApi((request, response) =>
        request.url === "/" ? response.writeHead(status, { location: "/next" }).end() : response.end(),
      );
      const post = { method: "POST", body: Buffer.from("body"), headers: { "idempotency-key": "k" } };
      await outcomeOf(client, callOf(`${api.url}/`, post));
      expect([status, api.asked[1]?.method, api.asked[1]?.body]).toEqual([
        status,
        method,
        method === "POST" ? "body" : "",
      ]);
      expect(api.asked[1]?.headers["idempotency-key"]).toBe(method === "POST" ? "k" : undefined);
      const away = await startApi((_, response) => response.writeHead(status, { location: `${other.url}/` }).end());
      const reach = { allowedHosts: ["127.0.0.1"], allowHttp: true };
      const { error } = await outcomeOf(client, callOf(`${away.url}/`, { ...post, reach }));
      expect([status, error?.code]).toEqual([status, method === "POST" ? "redirect-refused" : undefined]);
    }
  });
});
