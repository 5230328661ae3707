import { checkDatabase } from "./check-database.ts";
import { keepGateway, keepPostgres, keepTemporal, keepWorker, migrateDatabase, type House } from "./parts.ts";
import type { Part } from "./part.ts";
import { findConfiguredTemporal, withOwnTemporal } from "./temporal-target.ts";

/** Everything that `npm start` keeps running. */
export interface RunningHouse {
  readonly temporalUiUrl: string | undefined;
  /** Whether an API key was made that nobody has seen. */
  readonly apiKeyCreated: boolean;
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
  const elsewhere = findConfiguredTemporal(house.environment);
  const temporal = elsewhere === undefined ? parts.begin(() => keepTemporal(house)).started : Promise.resolve();
  // The gateway serves while Temporal is still being brought; a failure of that is met below.
  temporal.catch(() => {});
  const databaseUrl = await findOrBringDatabase(house, parts);
  const own = { ...house, environment: ownEnvironment(house, { databaseUrl, elsewhere }) };
  const { apiKeyCreated } = await migrateDatabase(own);
  await Promise.all([parts.begin(() => keepGateway(own)).started, temporal]);
  await parts.begin(() => keepWorker(own)).started;
  return { temporalUiUrl: own.environment["TEMPORAL_UI_URL"], apiKeyCreated };
}

async function findOrBringDatabase(house: House, parts: Parts): Promise<string> {
  const given = house.config.DATABASE_URL;
  if (given === undefined) return (await parts.begin(() => keepPostgres(house)).started).url;
  await checkDatabase(given);
  return given;
}

/** What the gateway, the worker and the migration find in their environment. */
function ownEnvironment(
  { config, directory, environment, ports }: House,
  { databaseUrl, elsewhere }: { databaseUrl: string; elsewhere: string | undefined },
): NodeJS.ProcessEnv {
  const mailbox =
    config.SMTP_URL === undefined ? { MAILBOX_SMTP_PORT: String(config.MAILBOX_SMTP_PORT ?? ports.mailbox) } : {};
  const common = { DATABASE_URL: databaseUrl, ...mailbox };
  if (elsewhere !== undefined) return { ...environment, ...common };
  const address = `127.0.0.1:${ports.temporal}`;
  return {
    TEMPORAL_UI_URL: `http://127.0.0.1:${ports.temporalUi}`,
    ...withOwnTemporal(environment, { address, directory }),
    ...common,
  };
}
