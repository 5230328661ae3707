import { z } from "zod";
import type { Sql } from "../sql.ts";

const text = z.string().min(1).max(2_000);

/** How a connection shows who it is. What is secret of it stands by the secret's name. */
export const authenticationSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("bearer"), secret: text }),
  z.strictObject({ kind: z.literal("basic"), username: z.string().max(2_000), secret: text }),
  z.strictObject({
    kind: z.literal("header"),
    name: text,
    /** What stands before the secret: `Token `. */
    prefix: z.string().max(200).optional(),
    secret: text,
  }),
  z.strictObject({ kind: z.literal("query"), name: text, secret: text }),
  z.strictObject({
    kind: z.literal("oauth2-client-credentials"),
    tokenUrl: text,
    clientId: text,
    clientSecret: text,
    scope: text.optional(),
    audience: text.optional(),
    /** How the client shows who it is (RFC 6749 §2.3.1): in a header or in the body. */
    clientBy: z.enum(["basic", "body"]).default("basic"),
  }),
  z.strictObject({
    kind: z.literal("oauth2-refresh-token"),
    tokenUrl: text,
    clientId: text,
    clientSecret: text.optional(),
    /** The first one; those that the server gives in its place are kept with the token. */
    refreshToken: text,
    scope: text.optional(),
    clientBy: z.enum(["basic", "body"]).default("basic"),
  }),
]);

export type Authentication = z.output<typeof authenticationSchema>;

/** How often it may be called: so many requests in a time, and so many at once. */
export interface ConnectionRate {
  readonly requests: number;
  readonly perMs: number;
  readonly concurrent?: number | undefined;
}

/** An outside API that steps name by key. */
export interface Connection {
  readonly id: string;
  readonly workspaceId: string;
  /** Kebab-case: what definitions name. */
  readonly key: string;
  readonly name: string;
  /** What the paths of steps are put behind. */
  readonly baseUrl: string;
  readonly authentication: Authentication;
  /** Sent with every request that does not bring its own. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM: whom it trusts besides those that Node trusts. */
  readonly certificateAuthority?: string | undefined;
  readonly rate?: ConnectionRate | undefined;
  /** Private hosts and hosts without TLS that it may reach: `host` or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** Whether it may be called without TLS. */
  readonly allowHttp: boolean;
  /** Whether the target does a request once under one Idempotency-Key. */
  readonly honoursIdempotencyKey: boolean;
  /** Rises with each change. */
  readonly revision: number;
}

const rateSchema = z.object({ requests: z.number(), perMs: z.number(), concurrent: z.number().optional() });

/** A connection as its row has it; what is not set is null there. */
export const connectionRow = z.object({
  id: z.string(),
  workspaceId: z.string(),
  key: z.string(),
  name: z.string(),
  baseUrl: z.string(),
  authentication: authenticationSchema,
  headers: z.record(z.string(), z.string()),
  certificateAuthority: z
    .string()
    .nullable()
    .transform((pem) => pem ?? undefined),
  rate: rateSchema.nullable().transform((rate) => rate ?? undefined),
  allowedHosts: z.array(z.string()),
  allowHttp: z.boolean(),
  honoursIdempotencyKey: z.boolean(),
  revision: z.number(),
});

/** Columns of tandem.connections (aliased `c`) as `connectionRow` reads them, for a select list. */
export const connectionColumns = `c.id, c.workspace_id as "workspaceId", c.key, c.name, c.base_url as "baseUrl", c.authentication,
  c.headers, c.certificate_authority as "certificateAuthority", c.rate, c.allowed_hosts as "allowedHosts",
  c.allow_http as "allowHttp", c.honours_idempotency_key as "honoursIdempotencyKey", c.revision`;

/** The connection of a workspace that definitions name by this key. */
export async function findConnection(
  sql: Sql,
  { workspaceId, key }: { workspaceId: string; key: string },
): Promise<Connection | undefined> {
  const { rows } = await sql.query({
    name: "find_connection",
    text: `select ${connectionColumns} from tandem.connections c where c.workspace_id = $1::uuid and c.key = $2::text`,
    values: [workspaceId, key],
  });
  return rows[0] === undefined ? undefined : connectionRow.parse(rows[0]);
}
