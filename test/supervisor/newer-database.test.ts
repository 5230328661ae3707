import pg from "pg";
import { expect, test } from "vitest";
import { migrate } from "../../src/migrations.ts";
import { createEmptyDatabase } from "../support/database.ts";

const database = await createEmptyDatabase();

test("a database that a newer Tandem has migrated is refused with a sentence and left alone", async () => {
  await migrate(database);
  const client = new pg.Client({ connectionString: database });
  await client.connect();
  await client.query(
    "insert into public.knex_migrations (name, batch, migration_time) values ('9999-of-the-future', 99, now())",
  );
  const known = "select name from public.knex_migrations order by id";
  const before = (await client.query(known)).rows;
  await expect(migrate(database)).rejects.toThrow(/made by a newer Tandem .*9999-of-the-future.*Nothing was changed/);
  expect((await client.query(known)).rows).toEqual(before);
  await client.end();
});
