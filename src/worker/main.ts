import { setTimeout as sleep } from "node:timers/promises";
import { createStepKinds } from "../activities/registry.ts";
import { createCode } from "../code/code.ts";
import { getDatabaseUrl, masterKeySource, publicUrl, readConfig } from "../config.ts";
import { createMetadataKeeper } from "../crm/metadata/keeper.ts";
import { createHttpClient } from "../http/client.ts";
import { ownListenersOf } from "../http/own-listeners.ts";
import { createLog } from "../log.ts";
import { createMailTransport } from "../mailbox/transport.ts";
import { createPartitions } from "../migrations.ts";
import { createShutdown, exitWithParent, reportReady } from "../process.ts";
import type { Links } from "../runs/alerts/compose.ts";
import { createAlertLoops } from "../runs/alerts/loops.ts";
import { channels, listen } from "../runs/doorbell.ts";
import { createLaunchLoop } from "../runs/launches/loop.ts";
import { createQuestionMails } from "../runs/questions/mails.ts";
import { createRelay } from "../runs/relay.ts";
import { createRetention } from "../runs/retention.ts";
import { createSettler } from "../runs/settler.ts";
import { createPool, type SqlPool } from "../sql.ts";
import { readMasterKeys } from "../vault/master-keys.ts";
import { createVault } from "../vault/vault.ts";
import { startEngine, type Engine } from "./engine.ts";
import { createPresence } from "./presence.ts";
import { installRuntimeLog } from "./runtime-log.ts";
import { connectTemporal, isTemporalUp, type TemporalLink } from "./temporal.ts";

const dayMs = 86_400_000;

const config = readConfig();
const log = createLog("worker", config.LOG_LEVEL);
const shutdown = createShutdown(log);
installRuntimeLog(log);
exitWithParent();

const databaseUrl = getDatabaseUrl(config);
const pool = createPool({ url: databaseUrl, max: 24, name: "tandem-worker" });
shutdown.defer("the database pool", () => pool.end());

const mail = createMailTransport(config);
shutdown.defer("the mail transport", () => mail.close());
const masterKeys = await readMasterKeys(masterKeySource(config)).catch((error: unknown) => {
  log.fatal(error instanceof Error ? error.message : String(error));
  return shutdown.end(1);
});
const vault = createVault({ pool, masterKeys, log });

const client = createHttpClient({ own: ownListenersOf(config) });
shutdown.defer("the lines to outside APIs", () => client.close());
const code = createCode(config, log);
shutdown.defer("the processes for code", () => code.stop());
const kinds = createStepKinds({ mail, http: { client, tokens: vault.tokens }, code });

let engine: Engine | undefined;
let link: TemporalLink | undefined;

const installation = await findInstallation(pool);

const runsStarted = (): void => engine?.ring();
const relay = createRelay({ pool, log, kinds, runsStarted });
relay.start();
shutdown.defer("the relay", () => relay.stop());

const settler = createSettler({ pool, log, kinds, runsStarted });
settler.start();
shutdown.defer("the settler", () => settler.stop());

const launches = createLaunchLoop({ pool, kinds, log });
launches.start();
shutdown.defer("the launches", () => launches.stop());

const alerts = createAlertLoops({ pool, kinds, mail, vault, links: linksOf(), log, runsStarted });
alerts.start();
shutdown.defer("the alerts", () => alerts.stop());

const questionMails = createQuestionMails({ pool, mail, publicUrl: publicUrl(config), log });
questionMails.start();
shutdown.defer("the mails about questions", () => questionMails.stop());

const presence = createPresence({
  pool,
  log,
  state: async () => ({ temporal: await temporalState(), mail: { ...(await mail.describe()) } }),
});
presence.start();
shutdown.defer("the presence", () => presence.stop());

const bells = listen(
  config.DATABASE_DIRECT_URL ?? databaseUrl,
  {
    [channels.dispatcher]: () => engine?.ring(),
    [channels.relay]: () => relay.ring(),
    [channels.launches]: () => launches.ring(),
    [channels.triggers]: () => engine?.ringTriggers(),
    [channels.schedules]: () => engine?.ringTriggers(),
  },
  log,
);
shutdown.defer("the bells", () => bells.stop());

const retention = createRetention({ pool, log, days: config.RUN_HISTORY_DAYS, auditDays: config.AUDIT_DAYS });
retention.start();
shutdown.defer("the retention", () => retention.stop());

const metadata = createMetadataKeeper({ pool, log });
metadata.start();
shutdown.defer("the metadata keeper", () => metadata.stop());

const partitions = setInterval(
  () =>
    void createPartitions(pool, new Date()).catch((error: unknown) =>
      log.warn({ err: error }, "partitions could not be made yet"),
    ),
  dayMs / 24,
);
shutdown.defer("the partitions", () => clearInterval(partitions));

link = await connect();
const connected = link;
shutdown.defer("the connection to Temporal", () => connected.connection.close());
engine = await startEngine({
  pool,
  config,
  link,
  kinds,
  vault,
  installation,
  owner: presence.id,
  recordsChanged: () => relay.ring(),
  log,
});
const started = engine;
shutdown.defer("the workers", () => started.stop());
log.info({ installation }, "the worker is up");
reportReady();
await engine.failed.catch((error: unknown) => {
  log.fatal({ err: error }, "a Temporal worker cannot go on; the process ends and is started again");
  return shutdown.end(1);
});

/** The installation's id; waits for the first start to have made it. */
async function findInstallation(sql: SqlPool): Promise<string> {
  for (let said = false; ; said = true) {
    try {
      const { rows } = await sql.query<{ id: string }>("select id from tandem.installation");
      if (rows[0] !== undefined) return rows[0].id;
    } catch (error) {
      if (!said) log.warn({ err: error }, "the database is not ready; waiting for it");
    }
    await sleep(500);
  }
}

async function connect(): Promise<TemporalLink> {
  for (let said = false; ; said = true) {
    try {
      return await connectTemporal(config.TEMPORAL_NAMESPACE);
    } catch (error) {
      if (!said) log.warn({ err: error }, "Temporal is not reachable; what is accepted waits until it is");
    }
    await sleep(500);
  }
}

/** What links in mails start with. */
function linksOf(): Links {
  const { TEMPORAL_UI_URL: ui, TEMPORAL_NAMESPACE: namespace } = config;
  const temporalRuns = ui && `${ui.replace(/\/+$/, "")}/namespaces/${encodeURIComponent(namespace)}/workflows`;
  return { publicUrl: publicUrl(config), temporalRuns };
}

async function temporalState(): Promise<{ up: boolean; namespace: string; address?: string; uiUrl?: string }> {
  const known = {
    namespace: config.TEMPORAL_NAMESPACE,
    ...(config.TEMPORAL_UI_URL === undefined ? {} : { uiUrl: config.TEMPORAL_UI_URL }),
  };
  if (link === undefined) return { up: false, ...known };
  return { up: await isTemporalUp(link), address: link.address, ...known };
}
