import { StepError } from "../errors.ts";
import type { Authentication, Connection } from "./connections.ts";
import { getToken, type TokenParts } from "./renewal.ts";

/** What a request carries to show who sends it. */
export interface Authorization {
  readonly headers: Readonly<Record<string, string>>;
  /** Goes into the query, not yet encoded. */
  readonly query: Readonly<Record<string, string>>;
}

/** What authorizing needs besides the connection. */
export interface AuthorizeParts extends TokenParts {
  /** Values of secrets of the connection's workspace, by name. Throws StepError where one is not there. */
  openSecrets(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Is told further texts that are secret. */
  conceal(texts: Iterable<string>): void;
}

/** Authorizes a request of a connection; gets a token where it takes one and has none that is fresh. Throws StepError. */
export async function authorize(parts: AuthorizeParts, connection: Connection): Promise<Authorization> {
  return prove(parts, connection);
}

/**
 * Authorizes a request anew whose authorization the target answered with 401: once, with a token that is
 * not the one it refused. Undefined: there is no other than what was sent.
 */
export async function renewAfter401(
  parts: AuthorizeParts,
  connection: Connection,
  refused: Authorization,
): Promise<Authorization | undefined> {
  if (!("tokenUrl" in connection.authentication)) return undefined;
  return prove(parts, connection, refused.headers["authorization"]?.replace(/^Bearer /, ""));
}

/** The keys under which an authentication names secrets, with the names. */
export function secretPlacesOf(authentication: Authentication): Array<[key: string, name: string]> {
  const keys = ["secret", "clientSecret", "refreshToken"];
  return Object.entries(authentication).flatMap(([key, name]) =>
    keys.includes(key) && typeof name === "string" ? [[key, name]] : [],
  );
}

async function prove(parts: AuthorizeParts, connection: Connection, refused?: string): Promise<Authorization> {
  const { authentication } = connection;
  const names = secretPlacesOf(authentication).map(([, name]) => name);
  const secrets = names.length === 0 ? new Map<string, string>() : await parts.openSecrets(names);
  const valueOf = (name: string): string => {
    const value = secrets.get(name);
    if (value === undefined) throw missingSecret(connection, name);
    return value;
  };
  switch (authentication.kind) {
    case "none":
      return { headers: {}, query: {} };
    case "bearer":
      return inHeader(connection, "authorization", `Bearer ${valueOf(authentication.secret)}`);
    case "basic": {
      const encoded = Buffer.from(`${authentication.username}:${valueOf(authentication.secret)}`).toString("base64");
      parts.conceal([encoded]);
      return inHeader(connection, "authorization", `Basic ${encoded}`);
    }
    case "header":
      return inHeader(
        connection,
        authentication.name.toLowerCase(),
        `${authentication.prefix ?? ""}${valueOf(authentication.secret)}`,
      );
    case "query":
      return { headers: {}, query: { [authentication.name]: valueOf(authentication.secret) } };
    case "oauth2-client-credentials":
    case "oauth2-refresh-token": {
      for (const name of names) valueOf(name);
      const token = await getToken(parts, { connection, oauth2: authentication, secrets }, refused);
      parts.conceal([token]);
      return inHeader(connection, "authorization", `Bearer ${token}`);
    }
  }
}

function inHeader({ key }: Connection, name: string, value: string): Authorization {
  if (!/^[\t\x20-\x7e]*$/.test(value))
    throw new StepError(
      "authorization-failed",
      `Connection "${key}": its secret has a line break or a letter that no header can carry. Give the secret another value.`,
    );
  return { headers: { [name]: value }, query: {} };
}

function missingSecret({ key }: Connection, name: string): StepError {
  return new StepError(
    "authorization-failed",
    `Connection "${key}": there is no secret "${name}". Make it by POST /api/secrets.`,
  );
}
