import { ProblemError } from "../errors.ts";
import type { Log } from "../log.ts";
import { createRecent } from "../recent.ts";
import {
  createSecret,
  loadValues,
  openStored,
  rotateSecret,
  type StoredValue,
  type VaultParts,
} from "./secret-values.ts";
import { keepInstallationKey, type Purpose } from "./installation-keys.ts";
import type { SecretSummary } from "./secrets.ts";
import { createTokens, type Tokens } from "./tokens.ts";

/** How long an opened value is used without asking again whether it still counts. */
const keptMs = 1_000;
const mostKept = 1_000;

/** Values by name, the one that counts first. A name without a secret is not there. */
export type OpenedSecrets = ReadonlyMap<string, readonly Buffer[]>;

/** What writes and opens secrets. */
export interface Vault {
  /** Keeps a new secret. Throws ProblemError 409 when the name is taken. */
  create(secret: { workspaceId: string; name: string; value: string }): Promise<SecretSummary>;
  /** Gives a secret a new value. Undefined: the workspace has no such secret. */
  rotate(secret: {
    workspaceId: string;
    id: string;
    value: string;
    overlapMs: number;
  }): Promise<SecretSummary | undefined>;
  /**
   * The values of these secrets that are taken now. They are opened at most once a second: a new value is
   * known, and one that is over is forgotten, within that second. Throws ProblemError 503 where one is there
   * and cannot be opened.
   */
  openSecrets(workspaceId: string, names: readonly string[]): Promise<OpenedSecrets>;
  /** Tokens of connections. */
  readonly tokens: Tokens;
  /** The installation's own key for a purpose; it stays the same. */
  installationKey(purpose: Purpose): Promise<Buffer>;
}

/** A vault over a database, under the installation's master keys. */
export function createVault({ log, ...parts }: VaultParts & { readonly log?: Log | undefined }): Vault {
  const kept = createRecent<string, { readonly at: number; readonly values: Promise<OpenedSecrets> }>(mostKept);

  async function load(workspaceId: string, names: readonly string[]): Promise<OpenedSecrets> {
    const opened = new Map<string, Buffer[]>();
    for (const stored of await loadValues(parts.pool, { workspaceId, names }))
      opened.set(stored.place.name, [...(opened.get(stored.place.name) ?? []), await openOrTell(stored)]);
    return opened;
  }

  async function openOrTell(stored: StoredValue): Promise<Buffer> {
    try {
      return await openStored(parts.masterKeys, stored);
    } catch (error) {
      log?.error({ err: error, secret: stored.place.name }, "a secret cannot be opened");
      // A stranger who sends to a webhook reads this: the log has the name.
      throw new ProblemError(
        503,
        "secret-unreadable",
        "A secret that is needed here cannot be opened: it was sealed with another master key, or changed in the database. The log names it.",
        { headers: { "retry-after": "60" }, cause: error },
      );
    }
  }

  const own = new Map<Purpose, Promise<Buffer>>();

  return {
    installationKey(purpose) {
      const known = own.get(purpose);
      if (known !== undefined) return known;
      const key = keepInstallationKey(parts, purpose);
      own.set(purpose, key);
      // What failed is asked again by the next one.
      key.catch(() => own.delete(purpose));
      return key;
    },
    tokens: createTokens({ ...parts, log }),
    create: (secret) => createSecret(parts, secret),
    rotate: (secret) => rotateSecret(parts, secret),
    async openSecrets(workspaceId, names) {
      if (names.length === 0) return new Map();
      const key = JSON.stringify([workspaceId, ...names]);
      const known = kept.get(key);
      if (known !== undefined && performance.now() - known.at < keptMs) return known.values;
      const values = load(workspaceId, names);
      kept.set(key, { at: performance.now(), values });
      // What failed is asked again by the next one.
      values.catch(() => kept.delete(key));
      return values;
    },
  };
}
