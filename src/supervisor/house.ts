import { keepGateway, keepPostgres, keepTemporal, keepWorker, migrateDatabase, type House } from "./parts.ts";
import type { Part } from "./part.ts";

/** Everything that `npm start` keeps running. */
export interface RunningHouse {
  readonly temporalUiUrl: string | undefined;
}

/** The parts that were begun, in the order in which they were. */
export interface Parts {
  /** Begins a part, unless all are being stopped already. */
  begin<P extends Part>(create: () => P): P;
  /** Stops all, the last first. */
  stop(): Promise<void>;
  /** Starts our own programs again, on what was built since. */
  restartOwn(): Promise<void>;
}

/** Keeps the parts together, so that whatever was begun can be ended at any moment. */
export function createParts(): Parts {
  const parts: Part[] = [];
  let stopping = false;
  return {
    begin(create) {
      if (stopping) throw new Error("Tandem is being stopped.");
      const part = create();
      parts.push(part);
      return part;
    },
    async stop() {
      stopping = true;
      for (const part of parts.toReversed()) await part.stop();
    },
    async restartOwn() {
      const own = parts.filter(({ name }) => name.startsWith("The "));
      await Promise.all(own.map((part) => part.restart()));
    },
  };
}

/**
 * Starts every part that is not configured to be elsewhere: Postgres and Temporal side by side, then
 * the migration and the gateway, which needs no Temporal, then the worker. Resolves when all are up.
 */
export async function startHouse(house: House, parts: Parts): Promise<RunningHouse> {
  const temporal = startTemporalOnce(house, parts);
  // The gateway serves even while Temporal is still being brought; its failure is met below.
  temporal.catch(() => {});
  const databaseUrl = house.config.DATABASE_URL ?? (await parts.begin(() => keepPostgres(house)).started).url;
  const withDatabase = withEnvironment(house, { DATABASE_URL: databaseUrl, ...mailboxPort(house) });
  await migrateDatabase(withDatabase);
  const uiUrl = house.config.TEMPORAL_UI_URL ?? ownUiUrl(house);
  const forOwn = withEnvironment(withDatabase, {
    TEMPORAL_ADDRESS: house.config.TEMPORAL_ADDRESS ?? `127.0.0.1:${house.ports.temporal}`,
    ...(uiUrl === undefined ? {} : { TEMPORAL_UI_URL: uiUrl }),
  });
  const gateway = parts.begin(() => keepGateway(forOwn));
  await Promise.all([gateway.started, temporal]);
  await parts.begin(() => keepWorker(forOwn)).started;
  return { temporalUiUrl: uiUrl };
}

async function startTemporalOnce(house: House, parts: Parts): Promise<void> {
  if (house.config.TEMPORAL_ADDRESS !== undefined) return;
  await parts.begin(() => keepTemporal(house)).started;
}

function ownUiUrl(house: House): string | undefined {
  return house.config.TEMPORAL_ADDRESS === undefined ? `http://127.0.0.1:${house.ports.temporalUi}` : undefined;
}

function mailboxPort({ config, ports }: House): Record<string, string> {
  return config.SMTP_URL === undefined ? { MAILBOX_SMTP_PORT: String(config.MAILBOX_SMTP_PORT ?? ports.mailbox) } : {};
}

function withEnvironment(house: House, more: Readonly<Record<string, string>>): House {
  return { ...house, environment: { ...house.environment, ...more } };
}
