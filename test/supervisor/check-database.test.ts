import { expect, inject, test } from "vitest";
import { checkDatabase } from "../../src/supervisor/check-database.ts";
import { chooseFreePort } from "../../src/supervisor/ports.ts";

test("a database that answers is taken", async () => {
  await expect(checkDatabase(`${inject("postgresUrl")}/postgres`)).resolves.toBeUndefined();
});

test("a database that does not answer is refused with its reason and the variable's name", async () => {
  const port = await chooseFreePort();
  await expect(checkDatabase(`postgres://nobody@localhost:${port}/x`)).rejects.toThrow(
    /DATABASE_URL cannot be used: .*ECONNREFUSED.*Correct DATABASE_URL/,
  );
});

test("a database that refuses us is refused with its reason", async () => {
  const url = `${inject("postgresUrl")}/postgres`.replace(/tandem:[^@]+@/, "tandem:guess@");
  await expect(checkDatabase(url)).rejects.toThrow(/password authentication failed/);
});
