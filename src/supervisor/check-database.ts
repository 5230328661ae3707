import pg from "pg";

/** The oldest Postgres that has all that the schema uses. */
const oldestMajor = 15;

/** Throws a sentence when the Postgres that DATABASE_URL names does not answer, refuses us or is too old. */
export async function checkDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  client.on("error", () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number }>(
      "select current_setting('server_version_num')::int as version",
    );
    const major = Math.floor((rows[0]?.version ?? 0) / 10_000);
    if (major < oldestMajor) throw new Error(`it is Postgres ${major}, and Tandem needs ${oldestMajor} or newer`);
  } catch (error) {
    throw new Error(
      `The database of DATABASE_URL cannot be used: ${describe(error)}. Correct DATABASE_URL, or remove it to let Tandem bring a Postgres.`,
      { cause: error },
    );
  } finally {
    client.end().catch(() => {});
  }
}

function describe(error: unknown): string {
  // Where a name has several addresses, each has its own failure and the whole has no message.
  if (error instanceof AggregateError) return error.errors.map(describe).join(", ");
  return error instanceof Error ? error.message : String(error);
}
