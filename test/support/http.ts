import { createHttpRequest } from "../../src/activities/http-request.ts";
import type { HttpParts } from "../../src/activities/http/exchange.ts";
import type { StepKinds } from "../../src/activities/step-kind.ts";
import { createHttpClient } from "../../src/http/client.ts";
import type { SqlPool } from "../../src/sql.ts";
import { createConnection } from "../../src/vault/connection-changes.ts";
import type { ConnectionSettings } from "../../src/vault/connection-faults.ts";
import type { Connection } from "../../src/vault/connections.ts";
import { createTokens } from "../../src/vault/tokens.ts";
import { testMasterKeys } from "./vault.ts";

/** What outside APIs are called with. */
export function httpParts(pool: SqlPool): HttpParts {
  return { client: createHttpClient({ own: [] }), tokens: createTokens({ pool, masterKeys: testMasterKeys() }) };
}

/** The step kind `http-request` as a worker has it. */
export function httpKind(pool: SqlPool): StepKinds {
  return { "http-request": createHttpRequest(httpParts(pool)) };
}

/** A connection to an API on loopback, without authentication where nothing else is said. */
export async function connectTo(
  pool: SqlPool,
  workspaceId: string,
  { key, baseUrl, ...settings }: { key: string; baseUrl: string } & Partial<ConnectionSettings>,
): Promise<Connection> {
  return createConnection(pool, {
    workspaceId,
    key,
    settings: {
      name: key,
      baseUrl,
      authentication: { kind: "none" },
      headers: {},
      allowedHosts: [new URL(baseUrl).host],
      allowHttp: true,
      honoursIdempotencyKey: false,
      ...settings,
    },
  });
}
