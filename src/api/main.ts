import { createStepKinds } from "../activities/registry.ts";
import { getDatabaseUrl, masterKeySource, publicUrl, readConfig } from "../config.ts";
import { createHttpClient } from "../http/client.ts";
import { ownListenersOf } from "../http/own-listeners.ts";
import { createLog } from "../log.ts";
import { createMailbox } from "../mailbox/mailbox.ts";
import { createCode } from "../code/code.ts";
import { createMailTransport } from "../mailbox/transport.ts";
import { createShutdown, exitWithParent, reportReady } from "../process.ts";
import { createGatewayPool } from "./pool.ts";
import { createFinishedRuns } from "../runs/finished.ts";
import { triggerKinds } from "../triggers/registry.ts";
import { readMasterKeys } from "../vault/master-keys.ts";
import { createVault } from "../vault/vault.ts";
import { createApp } from "./app.ts";
import { createAudit } from "./audit.ts";
import { createEndpoints } from "./endpoints.ts";
import { createGate } from "./gate.ts";
import { createReplays } from "./hooks/replays.ts";
import { listen } from "./listen.ts";
import { mailboxPage } from "./mailbox/page.ts";
import { createRestRouter } from "./rest/router.ts";

const config = readConfig();
const log = createLog("gateway", config.LOG_LEVEL);
const shutdown = createShutdown(log);
exitWithParent();

const pool = createGatewayPool(getDatabaseUrl(config));
shutdown.defer("the database pool", () => pool.end());

const mail = createMailTransport(config);
shutdown.defer("the mail transport", () => mail.close());
const code = createCode(config, log);
shutdown.defer("the processes for code", () => code.stop());
const kinds = createStepKinds({ mail, code });
const masterKeys = await readMasterKeys(masterKeySource(config)).catch((error: unknown) => {
  log.fatal(error instanceof Error ? error.message : String(error));
  return shutdown.end(1);
});
const vault = createVault({ pool, masterKeys, log });

const client = createHttpClient({ own: ownListenersOf(config) });
shutdown.defer("the lines to outside APIs", () => client.close());

if (config.MAILBOX_SMTP_PORT !== undefined) {
  const mailbox = createMailbox({ pool, port: config.MAILBOX_SMTP_PORT, log });
  await mailbox.start();
  shutdown.defer("the mailbox", () => mailbox.stop());
}

const audit = createAudit({ pool, log });
shutdown.defer("the audit", () => audit.settled());
const gate = createGate(audit);
const finished = createFinishedRuns(pool);
const replays = createReplays({ pool, kinds, log });
const app = createApp({
  pool,
  log,
  kinds,
  vault,
  finished,
  publicUrl: publicUrl(config),
  trustProxy: config.TRUST_PROXY,
  mailboxPage: mailboxPage(),
  gate,
  rest: createRestRouter({ pool, log, gate }),
  endpoints: createEndpoints({
    pool,
    publicUrl: publicUrl(config),
    kinds,
    triggerKinds,
    quickLane: config.QUICK_LANE,
    vault,
    audit,
    http: { client, tokens: vault.tokens },
    ringReplays: () => replays.ring(),
  }),
});
const listening = await listen(app, { host: config.HOST, port: config.PORT }).catch((error: unknown) => {
  log.fatal(error instanceof Error ? error.message : String(error));
  return shutdown.end(1);
});
shutdown.defer("the listener", () => listening.close());
// Who waits for a run's end is told its id, so that the listener can close.
shutdown.defer("senders who wait", () => finished.stop());
replays.start();
shutdown.defer("replays of deliveries", () => replays.stop());
log.info({ port: listening.port }, "the gateway is up");
reportReady();
