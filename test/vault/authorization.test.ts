import { afterAll, describe, expect, test } from "vitest";
import { StepError } from "../../src/errors.ts";
import { createHttpClient } from "../../src/http/client.ts";
import { createTokenSender } from "../../src/http/send-token.ts";
import { authorize, renewAfter401, type AuthorizeParts } from "../../src/vault/authorization.ts";
import type { Authentication } from "../../src/vault/connections.ts";
import { startTokenServer } from "../support/token-server.ts";
import { bearerOf, credentials, startConnecting } from "./connecting.ts";

const { vault, connect, partsOf } = await startConnecting();

describe("a connection shows who it is", () => {
  test.each<[Authentication, object]>([
    [{ kind: "none" }, { headers: {}, query: {} }],
    [
      { kind: "bearer", secret: "TOKEN" },
      { headers: { authorization: "Bearer the token itself" }, query: {} },
    ],
    [
      { kind: "header", name: "X-Api-Key", prefix: "Token ", secret: "TOKEN" },
      { headers: { "x-api-key": "Token the token itself" }, query: {} },
    ],
    [
      { kind: "query", name: "key", secret: "TOKEN" },
      { headers: {}, query: { key: "the token itself" } },
    ],
    [
      { kind: "basic", username: "tandem", secret: "TOKEN" },
      { headers: { authorization: `Basic ${Buffer.from("tandem:the token itself").toString("base64")}` }, query: {} },
    ],
  ])("by %j", async (authentication, shown) => {
    const connection = await connect(authentication);
    expect(await authorize(partsOf(), connection)).toEqual(shown);
    expect(await renewAfter401(partsOf(), connection, { headers: {}, query: {} })).toBeUndefined();
  });

  test("and not by a value that would break out of its header", async () => {
    const connection = await connect({ kind: "bearer", secret: "LINES" });
    const refused = await authorize(partsOf(), connection).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "authorization-failed", retryable: false });
    expect(String(refused)).not.toContain("two lines");
  });
});

describe("a token endpoint that does not grant one", () => {
  test.each([
    [400, { error: "invalid_scope" }, "authorization-failed", 'refused: invalid_scope. Check "scope".'],
    [401, { error: "invalid_client" }, "authorization-failed", 'Check "clientId", its secret, and "clientBy".'],
    [404, "<html>", "authorization-failed", 'answered 404 and no token. Check "tokenUrl"'],
    [302, "", "authorization-failed", "answered 302 and no token"],
    [200, "<html>", "authorization-failed", "is not one of RFC 6749"],
    [200, { access_token: "x" }, "authorization-failed", "token_type"],
    [200, { access_token: "a\nb", token_type: "bearer" }, "authorization-failed", "access_token"],
    [200, { access_token: "a", token_type: "mac" }, "authorization-failed", "is not Bearer"],
    [500, "", "authorization-unavailable", "answered 500"],
    [503, { error: "temporarily_unavailable" }, "authorization-unavailable", "answered 503"],
    [429, "", "authorization-unavailable", "answered 429"],
  ])("%i %j: %s", async (status, body, code, message) => {
    const server = await startTokenServer();
    server.answerNext(status, body);
    const connection = await connect(credentials(server.url));
    await expect(bearerOf(partsOf(), connection)).rejects.toMatchObject({
      code,
      retryable: code === "authorization-unavailable",
      message: expect.stringContaining(message),
    });
    // The claim is given back: whoever comes next need not wait.
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
  });

  test("is not in doubt for the step, whatever is in doubt of the endpoint", async () => {
    const connection = await connect(credentials("https://id.example.com"));
    const broken = new StepError("timeout", "id.example.com did not answer.", {
      retryable: true,
      details: { unsure: true },
    });
    const refused = bearerOf(partsOf(vault, { send: () => Promise.reject(broken) }), connection);
    await expect(refused).rejects.toMatchObject({ code: "authorization-unavailable", details: {}, retryable: true });
  });

  test("that may not be called is a fault to be put right", async () => {
    const connection = await connect(credentials("https://id.example.com"));
    const blocked = new StepError("blocked-url", "https://id.example.com is not called.");
    const refused = bearerOf(partsOf(vault, { send: () => Promise.reject(blocked) }), connection);
    await expect(refused).rejects.toMatchObject({ code: "authorization-failed", retryable: false });
  });
});

describe("by the client that judges where it connects to", () => {
  const client = createHttpClient({ own: [] });
  afterAll(() => client.close());
  const through = (): AuthorizeParts => partsOf(vault, { send: createTokenSender(client) });

  test("a token is got from a host that the connection allows", async () => {
    const server = await startTokenServer();
    const connection = await connect(credentials(server.url), [new URL(server.url).host]);
    expect(await bearerOf(through(), connection)).toBe("Bearer access-1");
    expect(server.asked[0]?.form).toEqual({ grant_type: "client_credentials" });
  });

  test("a token is not asked for where the connection may not go", async () => {
    const server = await startTokenServer();
    await expect(bearerOf(through(), await connect(credentials(server.url)))).rejects.toMatchObject({
      code: "authorization-failed",
      retryable: false,
    });
    expect(server.asked).toEqual([]);
  });

  test("credentials are not carried along to where an endpoint points", async () => {
    const [server, other] = [await startTokenServer(), await startTokenServer()];
    const connection = await connect(
      credentials(server.url, "body"),
      [server, other].map(({ url }) => new URL(url).host),
    );
    server.answerNext(302, "", { location: other.url });
    await expect(bearerOf(through(), connection)).rejects.toMatchObject({ code: "authorization-failed" });
    expect(other.asked.filter(({ form }) => "client_secret" in form)).toEqual([]);
  });
});
