import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { Log } from "../log.ts";
import { inTransaction } from "../sql.ts";
import type { Connection } from "./connections.ts";
import { seal, type SealedPlace } from "./envelope.ts";
import { holdMasterKey } from "./master-keys.ts";
import { sealedColumns, tokenPlace } from "./sealed-tables.ts";
import { openStored, type StoredValue, type VaultParts } from "./secret-values.ts";

/** A token as it is sealed. */
const tokenSchema = z.object({
  accessToken: z.string(),
  /** What the next one is got with, where the server gave one. */
  refreshToken: z.string().optional(),
  /** Digest of what the access token was got with: settings and values of secrets. */
  from: z.string(),
  /** Digest of what the line of refresh tokens began with. */
  seed: z.string(),
});

export type Token = z.output<typeof tokenSchema>;

/** The token of a connection, as it is kept now. */
export interface KeptToken {
  /** 0: there has been none. */
  readonly version: number;
  /** Undefined: there is none, or none that can be opened. */
  readonly token: Token | undefined;
  /** Whether its time is not over, as far as the server said. */
  readonly isFresh: boolean;
}

/** Keeps the tokens of connections, sealed, for all processes. */
export interface Tokens {
  /** Undefined: the connection is gone. */
  find(connection: Connection): Promise<KeptToken | undefined>;
  /**
   * Keeps the token that follows the one of this version. Commits before it returns. False: another has
   * followed already, or the connection is gone.
   */
  store(connection: Connection, next: { after: number; token: Token; freshMs: number | undefined }): Promise<boolean>;
  /** Claims the renewal for so long. Undefined: somebody else has it. */
  claim(connection: Connection, ms: number): Promise<{ release(): Promise<void> } | undefined>;
}

export function createTokens({ pool, masterKeys, log }: VaultParts & { readonly log?: Log | undefined }): Tokens {
  async function openToken(stored: StoredValue): Promise<Token | undefined> {
    try {
      return tokenSchema.parse(JSON.parse((await openStored(masterKeys, stored)).toString()));
    } catch (error) {
      // Another one can be got.
      log?.warn({ err: error, connection: stored.place.secretId }, "a connection's token cannot be opened");
      return undefined;
    }
  }

  return {
    async find({ id }) {
      const { rows } = await pool.query<StoredValue & { isKept: boolean; isFresh: boolean }>({
        name: "find_connection_token",
        text: `select ${tokenPlace} as place, ${sealedColumns}, v.version is not null as "isKept",
            coalesce(v.expires_at > now(), true) as "isFresh"
          from tandem.connections c left join tandem.connection_tokens v on v.connection_id = c.id where c.id = $1::uuid`,
        values: [id],
      });
      const [stored] = rows;
      if (stored === undefined) return undefined;
      const { isKept, isFresh, ...value } = stored;
      if (!isKept) return { version: 0, token: undefined, isFresh: false };
      return { version: value.place.version, token: await openToken(value), isFresh };
    },

    async store({ id, workspaceId }, { after, token, freshMs }) {
      const place: SealedPlace = { workspaceId, secretId: id, name: "oauth2-token", version: after + 1 };
      return inTransaction(pool, async (sql) => {
        const sealed = seal(await holdMasterKey(sql, masterKeys), place, Buffer.from(JSON.stringify(token)));
        const { rowCount } = await sql.query(
          `insert into tandem.connection_tokens as t
             (connection_id, version, master_key_id, data_key, sealed, sealed_under, expires_at)
           select c.id, $2::integer, $3::text, $4::bytea, $5::bytea, $6::text, now() + $7::bigint * interval '1 millisecond'
           from tandem.connections c where c.id = $1::uuid
           on conflict (connection_id) do update set version = excluded.version, master_key_id = excluded.master_key_id,
             data_key = excluded.data_key, sealed = excluded.sealed, sealed_under = excluded.sealed_under,
             expires_at = excluded.expires_at, renewed_at = now()
           where t.version = excluded.version - 1`,
          [
            id,
            place.version,
            sealed.masterKeyId,
            sealed.dataKey,
            sealed.sealed,
            sealed.sealedUnder,
            freshMs === undefined ? null : Math.round(freshMs),
          ],
        );
        return rowCount === 1;
      });
    },

    async claim({ id }, ms) {
      const claim = randomUUID();
      const { rowCount } = await pool.query(
        `insert into tandem.connection_renewals as r (connection_id, claim, until)
         select c.id, $2::uuid, now() + $3::bigint * interval '1 millisecond' from tandem.connections c where c.id = $1::uuid
         on conflict (connection_id) do update set claim = excluded.claim, until = excluded.until where r.until <= now()`,
        [id, claim, ms],
      );
      if (rowCount !== 1) return undefined;
      return {
        async release() {
          await pool.query(
            "delete from tandem.connection_renewals where connection_id = $1::uuid and claim = $2::uuid",
            [id, claim],
          );
        },
      };
    },
  };
}
