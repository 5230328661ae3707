import { describe, expect, test } from "vitest";
import { authorize, renewAfter401 } from "../../src/vault/authorization.ts";
import { changeConnection, deleteConnection } from "../../src/vault/connection-changes.ts";
import { createVault } from "../../src/vault/vault.ts";
import { dumpDatabase } from "../support/dump.ts";
import { startTokenServer } from "../support/token-server.ts";
import { until } from "../support/until.ts";
import { createTestVault, testMasterKeys } from "../support/vault.ts";
import { bearerOf, credentials, refreshing, secrets, startConnecting } from "./connecting.ts";

const { pool, workspaceId, vault, connect, partsOf, replace } = await startConnecting();

describe("client credentials", () => {
  test("get a token once, which is used until its end is near", async () => {
    const server = await startTokenServer();
    const connection = await connect({
      kind: "oauth2-client-credentials",
      tokenUrl: server.url,
      clientId: "tandem & co",
      clientSecret: "CLIENT",
      scope: "invoices read",
      audience: "billing",
      clientBy: "basic",
    });
    const parts = partsOf();
    expect(await bearerOf(parts, connection)).toBe("Bearer access-1");
    expect(await bearerOf(parts, connection)).toBe("Bearer access-1");
    expect(await bearerOf(partsOf(createTestVault(pool)), connection)).toBe("Bearer access-1");
    expect(parts.concealed).toContain("access-1");
    expect(server.asked).toHaveLength(1);
    expect(server.asked[0]).toMatchObject({
      form: { grant_type: "client_credentials", scope: "invoices read", audience: "billing" },
      headers: {
        accept: "application/json",
        authorization: `Basic ${Buffer.from("tandem+%26+co:the+client%27s+secret%3A+100%25").toString("base64")}`,
      },
    });
    await pool.query("update tandem.connection_tokens set expires_at = now() where connection_id = $1", [
      connection.id,
    ]);
    expect(await bearerOf(parts, connection)).toBe("Bearer access-2");
  });

  test("may stand in the body", async () => {
    const server = await startTokenServer();
    const connection = await connect(credentials(server.url, "body"));
    await authorize(partsOf(), connection);
    expect(server.asked[0]?.form).toMatchObject({ client_id: "tandem", client_secret: secrets.CLIENT });
    expect(server.asked[0]?.headers.authorization).toBeUndefined();
  });

  test.each([
    ["a minute before its end", { expires_in: 3_600 }, 3_540],
    ["a tenth of a short life before its end", { expires_in: "50" }, 45],
    ["at once where it lives no longer", { expires_in: 0 }, 0],
  ])("are asked again %s", async (_, said, seconds) => {
    const server = await startTokenServer();
    server.say(said);
    const connection = await connect(credentials(server.url));
    await authorize(partsOf(), connection);
    const { rows } = await pool.query<{ left: string }>(
      "select extract(epoch from expires_at - renewed_at) as left from tandem.connection_tokens where connection_id = $1",
      [connection.id],
    );
    // Less the time that the answer took.
    expect(Number(rows[0]?.left)).toBeGreaterThan(seconds - 5);
    expect(Number(rows[0]?.left)).toBeLessThanOrEqual(seconds);
  });

  test("are used until a 401 where the server does not say how long", async () => {
    const server = await startTokenServer();
    server.say({});
    const connection = await connect(credentials(server.url));
    const refused = await authorize(partsOf(), connection);
    expect(await authorize(partsOf(), connection)).toEqual(refused);
    const renewed = await renewAfter401(partsOf(), connection, refused);
    expect(renewed?.headers["authorization"]).toBe("Bearer access-2");
    // Somebody who was refused with the same token takes the one that is there by now.
    expect(await renewAfter401(partsOf(), connection, refused)).toEqual(renewed);
    expect(server.asked).toHaveLength(2);
  });

  test("are asked again when the connection or its secret says something else", async () => {
    const server = await startTokenServer();
    const first = await connect(credentials(server.url));
    expect(await bearerOf(partsOf(), first)).toBe("Bearer access-1");
    const other = await changeConnection(pool, { workspaceId, id: first.id }, (before) => ({
      ...before,
      authentication: { ...credentials(server.url), scope: "more" },
    }));
    expect(await bearerOf(partsOf(), other!)).toBe("Bearer access-2");
    await replace("CLIENT", "another client's secret");
    expect(await bearerOf(partsOf(), other!)).toBe("Bearer access-3");
    expect(await bearerOf(partsOf(), other!)).toBe("Bearer access-3");
  });
});

describe("of many that need a token at once", () => {
  test("one gets it, over all processes", async () => {
    const server = await startTokenServer();
    const connection = await connect(credentials(server.url));
    const processes = Array.from({ length: 5 }, () => createTestVault(pool));
    const bearers = await Promise.all(
      Array.from({ length: 40 }, (_, i) => bearerOf(partsOf(processes[i % processes.length]), connection)),
    );
    expect(new Set(bearers)).toEqual(new Set(["Bearer access-1"]));
    expect(server.asked).toHaveLength(1);
  });

  test("all go on when the process of the one has died", async () => {
    const server = await startTokenServer();
    const connection = await connect(credentials(server.url));
    // Of a process that was killed after it had claimed.
    await vault.tokens.claim(connection, 300);
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
  });

  test("each may be cancelled while it waits, and what was granted is kept all the same", async () => {
    const server = await startTokenServer();
    const release = server.hold();
    const connection = await connect(credentials(server.url));
    const cancel = new AbortController();
    const both = [1, 2].map(() => bearerOf(partsOf(createTestVault(pool), { signal: cancel.signal }), connection));
    await until("it to be asked", () => server.asked.length === 1);
    cancel.abort(new Error("cancelled"));
    for (const waiting of both) await expect(waiting).rejects.toThrow(/cancelled|aborted/);
    release();
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
    expect(server.asked).toHaveLength(1);
  });
});

describe("a refresh token", () => {
  test("that the server replaces is stored before the token is used", async () => {
    const server = await startTokenServer();
    server.rotate("refresh-0");
    const connection = await connect(refreshing(server.url));
    const parts = partsOf();
    expect(await bearerOf(parts, connection)).toBe("Bearer access-1");
    // Another process, which has seen nothing of it.
    await pool.query("update tandem.connection_tokens set expires_at = now() where connection_id = $1", [
      connection.id,
    ]);
    expect(await bearerOf(partsOf(createTestVault(pool)), connection)).toBe("Bearer access-2");
    expect(server.asked.map(({ form }) => form["refresh_token"])).toEqual(["refresh-0", "refresh-1"]);
  });

  test("goes on where the server gives no other", async () => {
    const server = await startTokenServer();
    const connection = await connect(refreshing(server.url));
    const first = await authorize(partsOf(), connection);
    await renewAfter401(partsOf(), connection, first);
    expect(server.asked.map(({ form }) => form["refresh_token"])).toEqual(["refresh-0", "refresh-0"]);
  });

  test("that is dead asks for a new one, with which it goes on", async () => {
    const server = await startTokenServer();
    server.rotate("given by a person again");
    const connection = await connect(refreshing(server.url));
    await expect(bearerOf(partsOf(), connection)).rejects.toMatchObject({
      code: "authorization-failed",
      retryable: false,
      message: `Connection "${connection.key}": its token endpoint refused: invalid_grant: used, or never given. Get a new refresh token, and give it to the secret that the connection names.`,
    });
    await replace("REFRESH", "given by a person again");
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
    await replace("REFRESH", secrets.REFRESH);
  });

  test("survives a new client secret", async () => {
    const server = await startTokenServer();
    server.rotate("refresh-0");
    const connection = await connect({ ...refreshing(server.url), clientSecret: "CLIENT" });
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
    await replace("CLIENT", "yet another secret");
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-2");
  });

  test("that a stopped process was given is kept when it wakes", async () => {
    const server = await startTokenServer();
    server.rotate("refresh-0");
    let awake = false;
    const connection = await connect(refreshing(server.url));
    // It stops between the answer and the store, for longer than its claim.
    const stopped = bearerOf(
      partsOf(createTestVault(pool), {
        async send(request, how) {
          const answer = await partsOf().send(request, how);
          await until("it to wake", () => awake);
          return answer;
        },
      }),
      connection,
    );
    await until("it to be asked", () => server.asked.length === 1);
    await pool.query("update tandem.connection_renewals set until = now() where connection_id = $1", [connection.id]);
    await expect(bearerOf(partsOf(), connection)).rejects.toMatchObject({ code: "authorization-failed" });
    awake = true;
    expect(await stopped).toBe("Bearer access-1");
    expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-1");
  });
});

test("a connection that is deleted meanwhile ends whoever waits for its token", async () => {
  const connection = await connect(credentials("https://id.example.com"));
  await deleteConnection(pool, { workspaceId, id: connection.id });
  await expect(bearerOf(partsOf(), connection)).rejects.toMatchObject({
    code: "authorization-failed",
    message: `Connection "${connection.key}" was deleted meanwhile.`,
  });
});

test("a token that cannot be opened any more is got anew", async () => {
  const server = await startTokenServer();
  const connection = await connect(credentials(server.url));
  await authorize(partsOf(), connection);
  await pool.query("update tandem.connection_tokens set sealed = 'x' where connection_id = $1", [connection.id]);
  expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-2");
  expect(await bearerOf(partsOf(), connection)).toBe("Bearer access-2");
});

test("tokens are in the database sealed only", async () => {
  const server = await startTokenServer();
  server.say({ access_token: "canary-of-a-token" });
  const connection = await connect(refreshing(server.url));
  server.rotate("refresh-0");
  expect(await bearerOf(partsOf(), connection)).toBe("Bearer canary-of-a-token");
  const dump = await dumpDatabase(pool);
  for (const text of ["canary-of-a-token", "refresh-1"]) expect(dump).not.toContain(text);
  const other = createVault({ pool, masterKeys: testMasterKeys(9) });
  expect((await other.tokens.find(connection))?.token).toBeUndefined();
});
