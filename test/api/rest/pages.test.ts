import fc from "fast-check";
import { expect, test } from "vitest";
import { startRest, type Page } from "./support.ts";

const { make, list, call, pool, workspace } = await startRest();

/** The texts in a field of the page's records. */
function texts(page: Page, field: string): unknown[] {
  return page.records.map((record) => record[field]);
}

/** Every page of a list, by its cursors; `between` runs before each page but the first. */
async function walk(
  plural: string,
  query: { [parameter: string]: string },
  {
    cursor = "starting_after",
    between,
  }: { cursor?: "starting_after" | "ending_before"; between?: () => Promise<void> } = {},
): Promise<Page[]> {
  const pages = [await list(plural, query)];
  for (let page = pages[0]!; cursor === "starting_after" ? page.hasNextPage : page.hasPreviousPage;) {
    await between?.();
    const at = cursor === "starting_after" ? page.endCursor : page.startCursor;
    page = await list(plural, { ...query, [cursor]: at! });
    pages.push(page);
  }
  return pages;
}

test("a list goes by id unless told, 60 at a time unless told, 200 at most", async () => {
  await pool.query(
    `insert into "${workspace.schemaName}".opportunity (id, name)
     select ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, n::text from generate_series(1, 250) n`,
  );
  const first = await list("opportunities");
  expect(texts(first, "name")).toEqual(Array.from({ length: 60 }, (_, i) => String(i + 1)));
  expect(first).toMatchObject({ total: 250, hasNextPage: true, hasPreviousPage: false });
  const most = await list("opportunities", { limit: "1000" });
  expect(most.records).toHaveLength(200);
  const rest = await list("opportunities", { limit: "1000", starting_after: most.endCursor! });
  expect(texts(rest, "name")).toEqual(Array.from({ length: 50 }, (_, i) => String(i + 201)));
  expect(rest).toMatchObject({ total: 250, hasNextPage: false, hasPreviousPage: true });
  expect(await list("opportunities", { limit: "0" })).toEqual({
    records: [],
    total: 250,
    totalIsEstimate: false,
    hasNextPage: true,
    hasPreviousPage: false,
    startCursor: null,
    endCursor: null,
  });
});

test("each order puts what has no value where it says, both ways", async () => {
  for (const city of ["b", null, "a", null, "c"]) await make("people", { city, jobTitle: "order" });
  const order = async (order_by: string) =>
    texts(await list("people", { filter: "jobTitle[eq]:order", order_by }), "city");
  expect(await order("city")).toEqual([null, null, "a", "b", "c"]);
  expect(await order("city[AscNullsFirst]")).toEqual([null, null, "a", "b", "c"]);
  expect(await order("city[AscNullsLast]")).toEqual(["a", "b", "c", null, null]);
  expect(await order("city[DescNullsFirst]")).toEqual([null, null, "c", "b", "a"]);
  expect(await order("city[DescNullsLast], createdAt")).toEqual(["c", "b", "a", null, null]);
});

test("pages forwards and backwards hold every record once, whatever the order, the filter and the limit", async () => {
  const cities = ["x", "y", null];
  for (let i = 0; i < 23; i++)
    await make("people", {
      city: cities[i % 3] ?? null,
      position: i % 4,
      name: { lastName: String(i % 5) },
      jobTitle: "walk",
    });
  const direction = fc.constantFrom("AscNullsFirst", "AscNullsLast", "DescNullsFirst", "DescNullsLast");
  const field = fc.constantFrom("city", "position", "name.lastName", "createdAt", "emails", "id");
  const order = fc
    .uniqueArray(fc.tuple(field, direction), { maxLength: 3, selector: ([name]) => name })
    .map((fields) => fields.map(([name, way]) => `${name}[${way}]`).join(","));
  const filter = fc.constantFrom(
    "jobTitle[eq]:walk",
    "jobTitle[eq]:walk,city[is]:NULL",
    "jobTitle[eq]:walk,position[gt]:1",
  );
  await fc.assert(
    fc.asyncProperty(order, filter, fc.integer({ min: 1, max: 9 }), async (order_by, filter_, limit) => {
      const query = { filter: filter_, order_by };
      const whole = (await list("people", { ...query, limit: "200" })).records;
      const forwards = await walk("people", { ...query, limit: String(limit) });
      expect(forwards.flatMap((page) => page.records)).toEqual(whole);
      const last = forwards.at(-1)!;
      if (last.startCursor === null) return;
      const backwards = await walk(
        "people",
        { ...query, limit: String(limit), ending_before: last.startCursor },
        { cursor: "ending_before" },
      );
      expect(backwards.toReversed().flatMap((page) => page.records)).toEqual(
        whole.slice(0, whole.length - last.records.length),
      );
    }),
    { numRuns: 25 },
  );
});

test("pages go on at the right place while records come, change and go", async () => {
  const ids: string[] = [];
  for (let i = 0; i < 12; i++) ids.push((await make("companies", { name: String.fromCharCode(97 + i * 2) })).id);
  let round = 0;
  const pages = await walk(
    "companies",
    { order_by: "name", limit: "3" },
    {
      async between() {
        round += 1;
        // One that was seen goes, one comes before the cursor, one after it, and one not yet seen goes.
        await call("DELETE", `companies/${ids[round - 1]}`);
        await make("companies", { name: `a${round}` });
        await make("companies", { name: `z${round}` });
        await call("DELETE", `companies/${ids[12 - round]}?soft_delete=true`);
      },
    },
  );
  const seen = pages.flatMap((page) => texts(page, "name")).map(String);
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => (a < b ? -1 : 1)));
  // All that were there from first to last, and those that came after the cursor in time.
  expect(seen.slice(0, 9)).toEqual(["a", "c", "e", "g", "i", "k", "m", "o", "q"]);
  expect(seen.slice(9)).toEqual(Array.from({ length: round }, (_, i) => `z${i + 1}`));
});

test("the record that a cursor names may be gone", async () => {
  for (let i = 0; i < 5; i++) await make("notes", { title: String(i) });
  const page = await list("notes", { limit: "2", order_by: "title" });
  for (const { id } of page.records) await call("DELETE", `notes/${id}`);
  const next = await list("notes", { limit: "2", order_by: "title", starting_after: page.endCursor! });
  expect(texts(next, "title")).toEqual(["2", "3"]);
  expect(next.total).toBe(3);
  expect((await list("notes", { order_by: "title", ending_before: next.startCursor! })).records).toEqual([]);
});
