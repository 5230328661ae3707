import { describe, expect, it } from "vitest";
import { dropUnsaved } from "../../src/activities/http/collect.ts";
import type { Json, JsonObject } from "../../src/json.ts";
import { cancelRun } from "../../src/runs/cancel.ts";
import { readListPages } from "../../src/runs/step-lists.ts";
import { makeDue } from "../../src/runs/waits/due.ts";
import { startApi } from "../http/support.ts";
import { createTestDatabase } from "../support/database.ts";
import { definitionOf, startTestEngine, type FinishedRun } from "../support/engine.ts";
import { connectTo, httpKind } from "../support/http.ts";
import { until } from "../support/until.ts";

const { pool } = await createTestDatabase();
const tandem = await startTestEngine(pool, { kinds: httpKind(pool) });
// Calls carry whose they are, signed by the installation.
await pool.query("insert into tandem.installation (id) values ($1)", [tandem.installation]);
let made = 0;

type Page = { body: Json; headers?: Record<string, string> };

/** An API of pages; `page` gives what a query asks for. */
function paging(page: (query: URLSearchParams, url: string, body: string) => Page) {
  return startApi((request, response, sent) => {
    const url = new URL(request.url ?? "", "http://api.test");
    const { body, headers = {} } = page(url.searchParams, `http://${String(request.headers.host)}`, sent);
    response.writeHead(200, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  });
}

async function start(baseUrl: string, input: JsonObject, step: JsonObject = {}): Promise<string> {
  const key = `pages-${(made += 1)}`;
  await connectTo(pool, tandem.workspace.id, { key, baseUrl });
  const retry = { maximumAttempts: 3, initialInterval: "10ms" };
  const asks = { id: "ask", kind: "http-request", retry, input: { connection: key, ...input }, ...step };
  return tandem.enqueue(await tandem.activate(definitionOf(key, [asks])), {});
}

async function read(baseUrl: string, input: JsonObject): Promise<FinishedRun["steps"][number] | undefined> {
  return (await tandem.finished(await start(baseUrl, input))).steps[0];
}

const all = [1, 2, 3, 4, 5, 6, 7];

describe("pages", () => {
  it("are followed by their link header, wherever among the links it stands", async () => {
    const api = await paging((query, url) => {
      const page = Number(query.get("page") ?? 1);
      const next = page < 4 ? [`<${url}/?page=${page + 1}>; title="a, b; rel=x"; rel="last next"`] : [];
      return {
        body: all.slice((page - 1) * 2, page * 2),
        headers: { link: [`<${url}/?page=1>; rel=first`, ...next].join(", ") },
      };
    });
    expect((await read(api.url, { pagination: { kind: "link" } }))?.output).toMatchObject({
      items: all,
      pages: 4,
      complete: true,
      status: 200,
    });
  });

  it("are followed by a cursor that the body has, into the query, into the body, or as the next page's URL", async () => {
    const pageAt = (from: number, next: (to: number) => Json): Page => ({
      body: { data: all.slice(from, from + 3), paging: { next: from + 3 < all.length ? next(from + 3) : null } },
    });
    const query = await paging((asked) => pageAt(Number(asked.get("after") ?? 0), String));
    const common = { kind: "cursor", next: "paging.next", items: "data" };
    expect((await read(query.url, { pagination: { ...common, parameter: "after" } }))?.output).toMatchObject({
      items: all,
      pages: 3,
    });
    const body = await paging((_, __, sent) => pageAt(Number(JSON.parse(sent).page?.after ?? 0), String));
    const post = {
      method: "POST",
      repeatable: true,
      body: { filter: "x" },
      pagination: { ...common, parameter: "page.after", in: "body" },
    };
    expect((await read(body.url, post))?.output).toMatchObject({ items: all, pages: 3 });
    expect(body.asked.map((one) => JSON.parse(one.body))).toEqual([
      { filter: "x" },
      { filter: "x", page: { after: "3" } },
      { filter: "x", page: { after: "6" } },
    ]);
    // Each page is a request of its own for a target that knows keys.
    expect(new Set(body.asked.map(({ headers }) => headers["idempotency-key"])).size).toBe(3);
    const url = await paging((asked) => pageAt(Number(asked.get("from") ?? 0), (to) => `/?from=${to}`));
    expect((await read(url.url, { pagination: common }))?.output).toMatchObject({ items: all, pages: 3 });
    const last = await paging((asked) => {
      const from = all.indexOf(Number(asked.get("starting_after") ?? 0)) + 1;
      return { body: { data: all.slice(from, from + 3).map((id) => ({ id })), has_more: from + 3 < all.length } };
    });
    const stripe = {
      kind: "cursor",
      next: "data.last.id",
      parameter: "starting_after",
      items: "data",
      more: "has_more",
    };
    expect((await read(last.url, { pagination: stripe }))?.output).toMatchObject({
      items: all.map((id) => ({ id })),
      pages: 3,
    });
  });

  it("are counted by number or by offset, until one is empty", async () => {
    const number = await paging((query) => ({
      body: all.slice(Number(query.get("p")) * 3, Number(query.get("p")) * 3 + 3),
    }));
    expect((await read(number.url, { pagination: { kind: "page", parameter: "p", start: 0 } }))?.output).toMatchObject({
      items: all,
      pages: 4,
    });
    const offset = await paging((query) => ({
      body: { rows: all.slice(Number(query.get("offset")), Number(query.get("offset")) + 5) },
    }));
    expect((await read(offset.url, { pagination: { kind: "offset", items: "rows" } }))?.output).toMatchObject({
      items: all,
      pages: 3,
    });
    const queue = [...all];
    const taken = await paging(() => ({ body: queue.splice(0, 3) }));
    expect((await read(taken.url, { pagination: { kind: "until-empty" } }))?.output).toMatchObject({
      items: all,
      pages: 4,
    });
  });

  it("may be kept whole, and are not more than the step allows", async () => {
    const api = await paging((query) => ({ body: { page: Number(query.get("page")), rows: [1] } }));
    const pagination = { kind: "page", items: "rows", maximumPages: 2, collect: "pages" };
    expect((await read(api.url, { pagination }))?.output).toMatchObject({
      items: [
        { page: 1, rows: [1] },
        { page: 2, rows: [1] },
      ],
      pages: 2,
      complete: false,
    });
  });

  it("that lead in a circle, or to another origin, are an error", async () => {
    const circle = await paging(() => ({ body: { rows: [1], next: "same" } }));
    expect(
      (await read(circle.url, { pagination: { kind: "cursor", next: "next", parameter: "c", items: "rows" } }))?.error,
    ).toMatchObject({ code: "pagination-stuck" });
    const away = await paging(() => ({ body: [1], headers: { link: `<https://evil.example/>; rel=next` } }));
    expect((await read(away.url, { pagination: { kind: "link" } }))?.error).toMatchObject({ code: "blocked-url" });
    const nowhere = await paging(() => ({ body: [1], headers: { link: `<http://[>; rel=next` } }));
    expect((await read(nowhere.url, { pagination: { kind: "link" } }))?.error).toMatchObject({
      code: "unexpected-body",
      message: expect.stringContaining("a next page that is no URL"),
    });
    const none = await paging(() => ({ body: { rows: { a: 1 } } }));
    expect((await read(none.url, { pagination: { kind: "page", items: "rows" } }))?.error).toMatchObject({
      code: "unexpected-body",
    });
  });

  it("are gone on with where an attempt came to, however it ended", async () => {
    let failed = false;
    const api = await startApi((request, response) => {
      const page = Number(new URL(request.url ?? "", "http://api.test").searchParams.get("page"));
      if (page === 3 && !failed) {
        failed = true;
        response.destroy();
        return;
      }
      response.setHeader("content-type", "application/json").end(JSON.stringify(page > 4 ? [] : [page]));
    });
    const step = await read(api.url, { method: "GET", pagination: { kind: "page" } });
    expect([step?.output, step?.attempts]).toMatchObject([{ items: [1, 2, 3, 4], pages: 5 }, 1]);
    failed = false;
    const broken = await startApi((request, response) => {
      const page = Number(new URL(request.url ?? "", "http://api.test").searchParams.get("page"));
      const isBad = page === 3 && !failed;
      failed ||= isBad;
      response
        .writeHead(isBad ? 502 : 200, { "content-type": "application/json" })
        .end(JSON.stringify(page > 4 ? [] : [page]));
    });
    const again = await read(broken.url, { pagination: { kind: "page" } });
    expect([again?.output, again?.attempts]).toMatchObject([{ items: [1, 2, 3, 4], pages: 5 }, 2]);
    expect(broken.asked.map(({ url }) => url)).toEqual([
      "/?page=1",
      "/?page=2",
      "/?page=3",
      "/?page=3",
      "/?page=4",
      "/?page=5",
    ]);
  });

  it("wait for their connection's rate as any call: who was sent away goes first when it comes again", async () => {
    const api = await paging(() => ({ body: [1] }));
    const key = `pages-${(made += 1)}`;
    const rate = { requests: 1, perMs: 3_600_000 };
    const { id } = await connectTo(pool, tandem.workspace.id, { key, baseUrl: api.url, rate });
    // Others were told to come, the last of them in an hour.
    const queue = (next: string) =>
      pool.query(
        `insert into tandem.connection_rates (connection_id, next_at, return_at)
         values ($1, clock_timestamp() + $2::interval, clock_timestamp() + interval '1 h')
         on conflict (connection_id) do update set next_at = excluded.next_at, return_at = excluded.return_at`,
        [id, next],
      );
    await queue("1 h");
    const pagination = { kind: "page", maximumPages: 1 };
    const asks = { id: "ask", kind: "http-request", input: { connection: key, pagination } };
    const runId = await tandem.enqueue(await tandem.activate(definitionOf(key, [asks])), {});
    const wait = await until("the step was sent away", async () => {
      const { rows } = await pool.query<{ id: string }>("select id from tandem.waits where run_id = $1", [runId]);
      return rows[0]?.id;
    });
    await queue("1 s");
    await makeDue(pool, { runId, waitId: wait });
    tandem.ring();
    expect((await tandem.finished(runId)).steps[0]?.output).toMatchObject({ items: [1], pages: 1 });
  });

  it("of many items are kept as pages, each item once, also when the worker stops in the middle", async () => {
    const size = 150;
    const text = "x".repeat(1_000);
    let held: (() => void) | undefined;
    const api = await startApi((request, response) => {
      const from = Number(new URL(request.url ?? "", "http://api.test").searchParams.get("offset"));
      const items = Array.from({ length: Math.max(Math.min(size, 3_000 - from), 0) }, (_, i) => ({
        n: from + i,
        text,
      }));
      const answer = () => void response.setHeader("content-type", "application/json").end(JSON.stringify(items));
      if (from !== size * 10 || held !== undefined) answer();
      else held = answer;
    });
    const runId = await start(api.url, { pagination: { kind: "offset", maximumPages: 100 } }, { timeout: "5m" });
    await until("the tenth page is asked for", () => held);
    await tandem.halt();
    await tandem.resume();
    const run = await tandem.finished(runId, 60_000);
    const { output } = run.steps[0] ?? {};
    expect(output).toMatchObject({ items: { count: 3_000 }, pages: 21, complete: true });
    const numbers: number[] = [];
    for await (const page of readListPages(pool, { runId, path: "ask", name: "items", count: 3_000 }))
      numbers.push(...page.items.map((item) => Number((item as JsonObject)["n"])));
    expect(numbers).toEqual(Array.from({ length: 3_000 }, (_, n) => n));
    // The first nine pages were not asked for again.
    expect(api.asked.filter(({ url }) => url === "/?offset=0")).toHaveLength(1);
  });

  it("that a later attempt keeps are not taken out by one that stood still meanwhile", async () => {
    const item = "x".repeat(1_000);
    const api = await startApi((request, response) => {
      const from = Number(new URL(request.url ?? "", "http://api.test").searchParams.get("offset"));
      const items = Array.from({ length: from < 1_000 ? 500 : 0 }, () => item);
      if (request.url !== "/hang") response.setHeader("content-type", "application/json").end(JSON.stringify(items));
    });
    const key = `pages-${(made += 1)}`;
    await connectTo(pool, tandem.workspace.id, { key, baseUrl: api.url });
    const steps = [
      { id: "ask", kind: "http-request", input: { connection: key, pagination: { kind: "offset" } } },
      { id: "hang", kind: "http-request", input: { connection: key, path: "/hang" } },
    ];
    const runId = await tandem.enqueue(await tandem.activate(definitionOf(key, steps)), {});
    await until("the run is at the next step", () => api.asked.some(({ url }) => url === "/hang"));
    const { rows } = await pool.query<{ fence: number }>("select fence from tandem.runs where id = $1", [runId]);
    const run = { id: runId, workflowId: "", workflowKey: "", depth: 0 };
    const late = { sql: pool, run, path: "ask", fence: rows[0]?.fence ?? 0 };
    const count = async () =>
      (await pool.query("select 1 from tandem.step_lists where run_id = $1 and path = 'ask'", [runId])).rowCount;
    const kept = await count();
    expect(kept).toBeGreaterThan(0);
    await dropUnsaved({ ...late, attempt: 0 }, { stored: 0 });
    expect(await count()).toBe(kept);
    await dropUnsaved({ ...late, attempt: 1 }, { stored: 0 });
    expect(await count()).toBe(0);
    await cancelRun(pool, { workspaceId: tandem.workspace.id, runId });
    tandem.ring();
    await tandem.finished(runId);
  });
});
