import { createServer, type Server } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { reachabilityOf } from "../../src/http/address.ts";
import { createHttpClient, type HttpClient } from "../../src/http/client.ts";
import { parseTarget, publicReach, type Reach } from "../../src/http/reach.ts";
import { startDns, type TestDns } from "./dns.ts";
import { callOf, closeServer, listening, outcomeOf, startApi } from "./support.ts";

/** Plain http is allowed here, so that nothing but the address can be what refuses. */
const anyHttp: Reach = { allowedHosts: [], allowHttp: true };

/** Listens on loopback, in both families; nothing may ever connect to it. */
let canary: { port: number; hits: string[]; servers: Server[] };
let dns: TestDns;
let client: HttpClient;
let byNames: HttpClient;

beforeAll(async () => {
  const hits: string[] = [];
  const open = (): Server =>
    createServer((socket) => {
      hits.push(String(socket.localAddress));
      socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    });
  const servers = [open(), open()] as const;
  const port = await listening(servers[0], "127.0.0.1");
  await listening(servers[1], "::1", port);
  canary = { port, hits, servers: [...servers] };
  dns = await startDns({
    "private.test": [["127.0.0.1"]],
    "mixed.test": [["11.0.0.1", "127.0.0.1"]],
    "six.test": [["::1"]],
    "mapped.test": [["::ffff:7f00:1"]],
    "metadata.test": [["169.254.169.254"]],
    "rebinds.test": [["11.0.0.1"], ["127.0.0.1"]],
    "many.test": [[...Array.from({ length: 20 }, (_, i) => `11.0.0.${i + 1}`), "10.0.0.1"]],
    "silent.test": [],
    "127.0.0.1.nip.test": [["127.0.0.1"]],
    "ip6-localhost": [["::1"]],
    localhost: [["127.0.0.1", "::1"]],
  });
  client = createHttpClient({ own: [] });
  byNames = createHttpClient({ own: [], resolve: dns.resolve });
});
afterAll(async () => {
  await client.close();
  await byNames.close();
  await dns.close();
  for (const server of canary.servers) await closeServer(server);
});

/** The URL as somebody's expression gives it, sent as a step sends it. */
async function codeOf(by: HttpClient, text: string): Promise<string> {
  const attempt = async () => {
    const url = parseTarget(text, anyHttp);
    return by.send(callOf("http://unused.test/", { url, reach: anyHttp, timeoutMs: 6_000 }));
  };
  return attempt().then(
    (answer) => `answered ${answer.status}`,
    (error: { code?: string }) => error.code ?? String(error),
  );
}

/** `:port` is put behind the host, so that what got through would meet the canary. */
const hosts = {
  "plain names and addresses": "127.0.0.1 localhost LOCALHOST 127.0.0.1. 0.0.0.0 0 [::] [::1] [0:0:0:0:0:0:0:1]",
  "private and reserved ranges":
    "127.127.127.127 127.0.1.3 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.1 169.254.169.254 169.254.170.2 100.64.0.1 100.127.255.255 100.100.100.200 168.63.129.16 192.0.0.192 192.0.2.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 192.88.99.1 192.31.196.1 192.52.193.1 192.175.48.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255",
  "numbers written otherwise":
    "2130706433 3232235521 3232235777 2852039166 0x7f000001 0xA9FEA9FE 0xA9.0xFE.0xA9.0xFE 0x7f.1 017700000001 0177.0.0.1 0251.0376.0251.0376 0251.00376.000251.0000376 127.1 127.0.1 169.254.43518 10.1 0300.0250.1.1 0x0a.0.0.1",
  "letters that look like numbers": "①②⑦.⓪.⓪.① ①⑥⑨.②⑤④.①⑥⑨.②⑤④ 127。0。0。1 127．0．0．1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ ｌｏｃａｌｈｏｓｔ",
  "numbers that are no address": "7147006462 0x41414141A9FEA9FE 425.510.425.510 256.0.0.1 127.0.0.1.1",
  IPv6: "[::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:a9fe:a9fe] [0:0:0:0:0:ffff:169.254.169.254] [0000:0000:0000:0000:0000:ffff:7f00:0001] [::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::a00:1] [2002:7f00:1::] [2002:a9fe:a9fe::] [2002:a00:1::] [2001:0:4136:e378:8000:63bf:3fff:fdd2] [fd00:ec2::254] [fd12:3456::1] [fc00::1] [fe80::1] [fec0::1] [ff02::1] [ff0e::1] [2001:db8::1] [::ffff:0:127.0.0.1] [100::1] [5f00::1] [3fff::1] [2001:10::1] [2001:20::1] [2620:4f:8000::1] [4000::1]",
} as const;

describe("a call to a host that is not to be reached", () => {
  for (const [what, list] of Object.entries(hosts)) {
    it(`is refused before a line is made: ${what}`, async () => {
      const codes = new Map<string, string>();
      for (const host of list.split(" ")) codes.set(host, await codeOf(client, `http://${host}:${canary.port}/`));
      const expected = [...codes.keys()].map((host): [string, string] => [
        host,
        isUrl(host) ? "blocked-url" : "invalid-url",
      ]);
      expect([...codes]).toEqual(expected);
      expect(canary.hits).toEqual([]);
    });
  }

  it("is refused however its URL is written", async () => {
    const { port } = canary;
    const texts = [
      `http://a@127.0.0.1:${port}/`,
      `http://a:b@127.0.0.1:${port}/`,
      `http://a.example@127.0.0.1:${port}/`,
      `http://127.1.1.1:${port}\\@127.2.2.2:${port}/`,
      `http://127.1.1.1:${port}#@evil.example/`,
      `http://127.1.1.1:${port}?@evil.example/`,
      `http:127.0.0.1:${port}/`,
      `http:///127.0.0.1:${port}/`,
      `http:\\\\127.0.0.1:${port}/`,
      `http://1.1.1.1 &@127.0.0.1:${port}#@3.3.3.3/`,
      `http://evil.example%23@127.0.0.1:${port}/`,
      `hTTp://127.0.0.1:${port}/`,
      `http://127.0.0.1\t:${port}/`,
      `http://127.0.\n0.1:${port}/`,
      ` http://127.0.0.1:${port}/`,
      `http://127%2e0%2e0%2e1:${port}/`,
      `http://%31%32%37.0.0.1:${port}/`,
      `http://127.0.0.1%00.evil.example:${port}/`,
      `http://127.0.0.1\0.evil.example:${port}/`,
      `http://localhost\0.evil.example:${port}/`,
      `http://[::1%25lo]:${port}/`,
      `http://[fe80::1%25eth0]:${port}/`,
      `http://127.0.0.1:${port}:80/`,
      `http://:${port}/`,
      "http://",
      "",
    ];
    for (const text of texts)
      expect([text, await codeOf(client, text)]).toEqual([text, expect.stringMatching(/^(blocked|invalid)-url$/)]);
    expect(canary.hits).toEqual([]);
  });

  it("is refused for its scheme, whatever it leads to", async () => {
    const schemes =
      "file ftp gopher dict ldap ldaps tftp sftp ssh telnet jar netdoc data javascript unix http+unix ws wss blob about view-source".split(
        " ",
      );
    for (const scheme of schemes) {
      const text = `${scheme}://127.0.0.1:${canary.port}/etc/passwd`;
      expect([scheme, await codeOf(client, text)]).toEqual([scheme, expect.stringMatching(/^(blocked|invalid)-url$/)]);
    }
    expect(canary.hits).toEqual([]);
  });

  it("is refused for the port of another kind of service, on any host", async () => {
    for (const port of [22, 25, 465, 587, 2375, 2376, 5432, 6379, 7233, 7234, 8233, 9200, 11_211])
      expect(await codeOf(client, `http://one.one.one.one:${port}/`)).toBe("blocked-url");
  });

  it("is refused without TLS, where no connection allows it", () => {
    expect(() => parseTarget("http://api.example/", publicReach)).toThrow(/not encrypted/);
    expect(parseTarget("https://api.example/#x", publicReach).href).toBe("https://api.example/");
  });
});

describe("a call to a name", () => {
  it("is refused when any of its addresses is not to be reached", async () => {
    for (const name of "private.test mixed.test six.test mapped.test metadata.test many.test 127.0.0.1.nip.test ip6-localhost localhost. PRIVATE.test private.test.".split(
      " ",
    ))
      expect([name, await codeOf(byNames, `http://${name}:${canary.port}/`)]).toEqual([name, "blocked-url"]);
    expect(canary.hits).toEqual([]);
  });

  it("goes to the address that was judged, and to no other that the name has a moment later", async () => {
    const code = await codeOf(byNames, `http://rebinds.test:${canary.port}/`);
    expect(code).toBe("not-connected");
    expect(dns.asked("rebinds.test")).toBe(1);
    expect(canary.hits).toEqual([]);
    // Now the name leads to the canary: whoever asks anew is told so, and refused.
    expect(await codeOf(byNames, `http://rebinds.test:${canary.port}/`)).toBe("blocked-url");
    expect(canary.hits).toEqual([]);
  }, 20_000);

  it("is over after five seconds when its name server says nothing", async () => {
    const begun = performance.now();
    expect(await codeOf(byNames, "http://silent.test/")).toBe("not-connected");
    expect(performance.now() - begun).toBeLessThan(6_500);
  });
});

describe("a redirect", () => {
  const targets = (port: number): string[] => [
    `http://127.0.0.1:${port}/`,
    `http://localhost:${port}/`,
    `//127.0.0.1:${port}/`,
    `//[::1]:${port}/`,
    `http://2130706433:${port}/`,
    `http://[::ffff:7f00:1]:${port}/`,
    `http://private.test:${port}/`,
    `http://user@127.0.0.1:${port}/`,
    "http://169.254.169.254/latest/meta-data/",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "ftp://127.0.0.1/",
    "data:text/plain,x",
    "http://a b/",
  ];

  for (const status of [301, 302, 303, 307, 308]) {
    it(`of ${status} leads nowhere that may not be reached`, async () => {
      for (const location of targets(canary.port)) {
        const api = await startApi((_, response) => response.writeHead(status, { location }).end());
        const { error } = await outcomeOf(byNames, callOf(`${api.url}/`));
        expect([location, error?.code]).toEqual([location, expect.stringMatching(/^(blocked-url|redirect-refused)$/)]);
      }
      expect(canary.hits).toEqual([]);
    });
  }
});

describe("what is allowed", () => {
  it("is reached where a connection names it, by its name, its address or its port", async () => {
    const api = await startApi((_, response) => response.end("ok"));
    const { port } = api;
    const named = await startDns({ "billing.test": [["127.0.0.1"]] });
    onTestFinished(() => named.close());
    const reaches: Array<[url: string, allowed: string]> = [
      [`http://127.0.0.1:${port}/`, "127.0.0.1"],
      [`http://127.0.0.1:${port}/`, `127.0.0.1:${port}`],
      [`http://0x7f.1:${port}/`, "127.0.0.1"],
      [`http://billing.test:${port}/`, "billing.test"],
      [`http://BILLING.test.:${port}/`, `billing.test:${port}`],
      [`http://billing.test:${port}/`, "Billing.Test."],
    ];
    const own = createHttpClient({ own: [], resolve: named.resolve });
    onTestFinished(() => own.close());
    for (const [url, allowed] of reaches) {
      const { answer } = await outcomeOf(own, callOf(url, { reach: { allowedHosts: [allowed], allowHttp: false } }));
      expect([url, answer?.status]).toEqual([url, 200]);
    }
    const { error } = await outcomeOf(
      own,
      callOf(`http://127.0.0.1:${port}/`, { reach: { allowedHosts: [`127.0.0.1:${port + 1}`], allowHttp: true } }),
    );
    expect(error?.code).toBe("blocked-url");
  });

  it("is never a metadata service, nor a listener of Tandem's own but for its webhooks", async () => {
    const api = await startApi((_, response) => response.end("ok"));
    const guarded = createHttpClient({ own: [{ host: "0.0.0.0", port: api.port, openPath: "/hooks/" }] });
    onTestFinished(() => guarded.close());
    const reach = { allowedHosts: ["127.0.0.1", "localhost", "169.254.169.254", "168.63.129.16"], allowHttp: true };
    for (const url of [
      "http://169.254.169.254/",
      "http://168.63.129.16/",
      `${api.url}/api/secrets`,
      `${api.url}/hooks/../api/secrets`,
      `${api.url}/metrics`,
      `http://localhost:${api.port}/mailbox`,
    ])
      expect([url, (await outcomeOf(guarded, callOf(url, { reach }))).error?.code]).toEqual([url, "blocked-url"]);
    expect((await outcomeOf(guarded, callOf(`${api.url}/hooks/abc`, { reach }))).answer?.status).toBe(200);
    // A line that was made for a webhook is no way to the rest.
    expect((await outcomeOf(guarded, callOf(`${api.url}/api/secrets`, { reach }))).error?.code).toBe("blocked-url");
    expect(api.asked.map(({ url }) => url)).toEqual(["/hooks/abc"]);
  });

  it("is every address that is anybody's", () => {
    const open =
      "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 93.184.215.14 100.63.255.254 100.128.0.1 126.255.255.255 128.0.0.1 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.1 172.15.255.255 172.32.0.1 191.255.255.255 192.0.1.1 192.0.3.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1 203.0.112.255 203.0.114.1 223.255.255.255 2001:200::1 2606:4700:4700::1111 2a00:1450::1 2001:4860:4860::8888 ::ffff:8.8.8.8";
    expect(open.split(" ").filter((address) => reachabilityOf(address) !== "public")).toEqual([]);
  });
});

function isUrl(host: string): boolean {
  return URL.canParse(`http://${host}:80/`);
}
