import { join } from "node:path";
import { postgresAddress } from "./postgres.ts";
import { findPorts } from "./state.ts";

/** The address of the database that `npm start` keeps in a data folder; it runs while that does. Throws an Error. */
export async function findKeptDatabase(directory: string): Promise<string> {
  const ports = await findPorts(directory);
  if (ports === undefined)
    throw new Error(
      `DATABASE_URL is not set, and nothing was started in ${directory}. Set the one that the other processes have.`,
    );
  return `${await postgresAddress({ directory: join(directory, "postgres"), port: ports.postgres })}/tandem`;
}
