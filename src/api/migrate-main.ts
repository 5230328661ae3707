import { createStepKinds } from "../activities/registry.ts";
import { ensureInstallation } from "../catalog/bootstrap.ts";
import { createCode } from "../code/code.ts";
import { dataDirectory, getDatabaseUrl, masterKeySource, readConfig } from "../config.ts";
import { upgradeSchemas } from "../crm/schema-upgrades.ts";
import { createMailTransport } from "../mailbox/transport.ts";
import { migrate } from "../migrations.ts";
import { createPool } from "../sql.ts";
import { keepMasterKeys } from "../vault/master-keys.ts";
import { createVault } from "../vault/vault.ts";
import { keepApiKey } from "./api-key-file.ts";

/**
 * Brings the database up to date, makes the installation where there is none, and keeps its API key in
 * `<data dir>/api-key` and the key of its secrets. Prints one line of JSON. May be killed anywhere and started again.
 */
async function main(): Promise<void> {
  const config = readConfig();
  await migrate(config.DATABASE_DIRECT_URL ?? getDatabaseUrl(config));
  const pool = createPool({ url: getDatabaseUrl(config), max: 4, name: "tandem-migrate" });
  const code = createCode(config);
  try {
    const masterKeys = await keepMasterKeys(pool, masterKeySource(config));
    const parts = { pool, vault: createVault({ pool, masterKeys }) };
    await upgradeSchemas(pool);
    const kinds = createStepKinds({ mail: createMailTransport(config), code });
    const installation = await ensureInstallation(parts, config, kinds);
    const key = await keepApiKey(parts, {
      directory: dataDirectory(config),
      workspaceId: installation.workspaceId,
      made: installation.apiKey,
    });
    process.stdout.write(
      `${JSON.stringify({ installation: installation.id, apiKeyFile: key.file, apiKeyCreated: key.created })}\n`,
    );
  } finally {
    await code.stop();
    await pool.end();
  }
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
