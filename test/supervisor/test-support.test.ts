import { Connection } from "@temporalio/client";
import { expect, test } from "vitest";
import { createTestDatabase } from "../support/database.ts";
import { testTemporal } from "../support/temporal.ts";

const database = await createTestDatabase();

test("a test file has a migrated database of its own", async () => {
  const { rows } = await database.pool.query("select to_regclass('tandem.runs') is not null as present");
  expect(rows).toEqual([{ present: true }]);
});

test("the run's Temporal keeps closed workflows for seven days", async () => {
  const { address, namespace } = testTemporal();
  const connection = await Connection.connect({ address });
  const described = await connection.workflowService.describeNamespace({ namespace });
  await connection.close();
  expect(Number(described.config?.workflowExecutionRetentionTtl?.seconds)).toBe(7 * 86_400);
});
