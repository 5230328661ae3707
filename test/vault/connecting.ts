import { authorize, type AuthorizeParts } from "../../src/vault/authorization.ts";
import { createConnection } from "../../src/vault/connection-changes.ts";
import type { Authentication, Connection } from "../../src/vault/connections.ts";
import type { SendTokenRequest } from "../../src/vault/renewal.ts";
import type { SqlPool } from "../../src/sql.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { createTestDatabase } from "../support/database.ts";
import { insertWorkspace } from "../support/rows.ts";
import { createTestVault } from "../support/vault.ts";

/** Values of the secrets that there are, by name. */
export const secrets = {
  TOKEN: "the token itself",
  CLIENT: "the client's secret: 100%",
  REFRESH: "refresh-0",
  LINES: "one\ntwo lines",
};

/** What a process has: its own vault, a step's way to secrets, and what it was told is secret. */
export type Parts = AuthorizeParts & { readonly concealed: readonly string[] };

export interface Connecting {
  readonly pool: SqlPool;
  readonly workspaceId: string;
  readonly vault: Vault;
  /** Gives a secret a new value. */
  replace(name: keyof typeof secrets, value: string): Promise<void>;
  connect(authentication: Authentication, allowedHosts?: string[]): Promise<Connection>;
  partsOf(process?: Vault, over?: Partial<AuthorizeParts>): Parts;
}

/** A workspace with secrets, in which connections are made and used. */
export async function startConnecting(): Promise<Connecting> {
  const { pool } = await createTestDatabase();
  const workspaceId = await insertWorkspace(pool);
  const vault = createTestVault(pool);
  const ids = new Map<string, string>();
  for (const [name, value] of Object.entries(secrets))
    ids.set(name, (await vault.create({ workspaceId, name, value })).id);
  let made = 0;
  return {
    pool,
    workspaceId,
    vault,
    async replace(name, value) {
      await vault.rotate({ workspaceId, id: ids.get(name) ?? "", value, overlapMs: 0 });
    },
    connect: (authentication, allowedHosts = []) =>
      createConnection(pool, {
        workspaceId,
        key: `api-${(made += 1)}`,
        settings: {
          name: "An API",
          baseUrl: "https://api.example.com",
          authentication,
          headers: {},
          allowedHosts,
          allowHttp: true,
          honoursIdempotencyKey: false,
        },
      }),
    partsOf(process = vault, over = {}) {
      const concealed: string[] = [];
      return {
        tokens: process.tokens,
        send,
        signal: new AbortController().signal,
        conceal: (texts) => void concealed.push(...texts),
        async openSecrets(names) {
          const opened = await createTestVault(pool).openSecrets(workspaceId, names);
          return new Map([...opened].map(([name, [value]]) => [name, String(value)]));
        },
        concealed,
        ...over,
      };
    },
  };
}

const send: SendTokenRequest = async ({ url, headers, body }, { signal }) => {
  const response = await fetch(url, { method: "POST", headers, body, signal });
  return { status: response.status, body: await response.text() };
};

/** The header by which a request is authorized. */
export async function bearerOf(parts: AuthorizeParts, connection: Connection): Promise<string | undefined> {
  return (await authorize(parts, connection)).headers["authorization"];
}

/** Client credentials from this endpoint. */
export function credentials(tokenUrl: string, clientBy: "basic" | "body" = "basic") {
  return { kind: "oauth2-client-credentials", tokenUrl, clientId: "tandem", clientSecret: "CLIENT", clientBy } as const;
}

/** A refresh token for this endpoint. */
export function refreshing(tokenUrl: string) {
  return {
    kind: "oauth2-refresh-token",
    tokenUrl,
    clientId: "tandem",
    refreshToken: "REFRESH",
    clientBy: "basic",
  } as const;
}
