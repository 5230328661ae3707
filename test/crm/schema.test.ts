import { expect, test } from "vitest";
import { getObjects } from "../../src/crm/load-objects.ts";
import { createTestDatabase } from "../support/database.ts";
import { createCrm } from "./support.ts";

const { pool } = await createTestDatabase();
const { workspace, objects, object } = await createCrm(pool);

test("every object's table has a column for each field of its metadata, and no other", async () => {
  const { rows } = await pool.query<{ table: string; columns: string[] }>(
    `select table_name as "table", array_agg(column_name::text order by column_name::text collate "C") as columns
     from information_schema.columns where table_schema = $1 group by table_name`,
    [workspace.schemaName],
  );
  const expected = objects.list().map(({ table, fields }) => ({
    table: table.split(".")[1]?.replaceAll('"', ""),
    columns: ["id", ...fields.map(({ column }) => column.replaceAll('"', ""))].toSorted(),
  }));
  expect(rows.toSorted((a, b) => (a.table < b.table ? -1 : 1))).toEqual(
    expected.toSorted((a, b) => (String(a.table) < String(b.table) ? -1 : 1)),
  );
});

test("the standard objects have the fields that Twenty's have, in their order, after those of every object", () => {
  const own = (name: string) =>
    object(name)
      .fields.slice(6)
      .map((field) => field.name);
  expect(own("person")).toEqual([
    "name",
    "emails",
    "phones",
    "linkedinLink",
    "xLink",
    "jobTitle",
    "city",
    "avatarUrl",
    "companyId",
  ]);
  expect(own("taskTarget")).toEqual(["taskId", "personId", "companyId", "opportunityId"]);
  expect(own("workspaceMember")).toEqual(["name", "userEmail", "timeZone", "active"]);
  expect(
    object("opportunity")
      .field("stage")
      ?.reading.options.map(({ value }) => value),
  ).toEqual(["NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER", "CLOSED_WON", "CLOSED_LOST"]);
});

test("objects are read again when their version or the workspace's time zone has changed, and only then", async () => {
  const known = await getObjects(pool, workspace);
  expect(known).toBe(objects);
  const moved = await getObjects(pool, { ...workspace, timeZone: "Asia/Tokyo" });
  expect(moved.find("person")?.timeZone).toBe("Asia/Tokyo");
  const newer = await getObjects(pool, { ...workspace, timeZone: "Asia/Tokyo", metadataVersion: 2 });
  expect(newer).not.toBe(moved);
  expect(await getObjects(pool, { ...workspace, timeZone: "Asia/Tokyo" })).toBe(newer);
});
