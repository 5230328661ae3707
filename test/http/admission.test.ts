import { describe, expect, it } from "vitest";
import { admitCall } from "../../src/http/admission.ts";
import { takePlace, type Place } from "../../src/http/places.ts";
import { takeTurn, type Turn } from "../../src/http/rates.ts";
import { createPool } from "../../src/sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createTestWorkspace } from "../support/engine.ts";
import { connectTo } from "../support/http.ts";
import { until } from "../support/until.ts";

const { pool, url } = await createTestDatabase();
const { workspace } = await createTestWorkspace(pool);
let made = 0;

const connect = (rate: { requests: number; perMs: number; concurrent?: number }) =>
  connectTo(pool, workspace.id, { key: `api-${(made += 1)}`, baseUrl: "http://127.0.0.1:1", rate });

describe("moments for calls", () => {
  it("are given out at their distance, to however many processes ask at once", async () => {
    const other = createPool({ url, max: 10, name: "other" });
    const rate = { requests: 20, perMs: 1_000 };
    const { id } = await connect(rate);
    const begun = performance.now();
    const turns = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        const turn = await takeTurn(i % 2 === 0 ? pool : other, { connectionId: id, rate, again: false });
        return { ...turn, at: performance.now() - begun + turn.inMs };
      }),
    );
    await other.end();
    expect(turns.every(({ kind }) => kind === "go")).toBe(true);
    const { rows } = await pool.query<{ span: number }>(
      "select (extract(epoch from next_at - clock_timestamp()) * 1000)::double precision as span from tandem.connection_rates where connection_id = $1",
      [id],
    );
    // Thirty moments lie behind one another, as far as the last one's end.
    expect((rows[0]?.span ?? 0) + performance.now() - begun).toBeGreaterThanOrEqual(29 * 50);
    expect(Math.max(...turns.map(({ at }) => at))).toBeGreaterThanOrEqual(29 * 50);
  });

  it("that lie too far ahead are not taken: who asks is told when to come, evenly, and then goes first", async () => {
    const rate = { requests: 1, perMs: 1_000 };
    const { id } = await connect(rate);
    const ask = (again: boolean): Promise<Turn> => takeTurn(pool, { connectionId: id, rate, again });
    const turns: Turn[] = [];
    for (let i = 0; i < 8; i++) turns.push(await ask(false));
    const away = turns.filter(({ kind }) => kind === "return").map(({ inMs }) => inMs);
    expect(turns.slice(0, 2).map(({ kind }) => kind)).toEqual(["go", "go"]);
    expect(away.length).toBeGreaterThanOrEqual(5);
    const distances = away.slice(1).map((inMs, i) => inMs - (away[i] ?? 0));
    expect(Math.min(...distances)).toBeGreaterThan(700);
    // As if a while had gone by: one moment is free again.
    await pool.query(
      "update tandem.connection_rates set next_at = clock_timestamp() + interval '100 ms' where connection_id = $1",
      [id],
    );
    expect((await ask(false)).kind).toBe("return");
    expect((await ask(true)).kind).toBe("go");
  });

  it("keep to the rate that the connection has now, however far ahead the one before gave them out", async () => {
    const { id } = await connect({ requests: 1, perMs: 3_600_000 });
    const ask = (rate: { requests: number; perMs: number }): Promise<Turn> =>
      takeTurn(pool, { connectionId: id, rate, again: true });
    expect((await ask({ requests: 1, perMs: 3_600_000 })).kind).toBe("go");
    expect((await ask({ requests: 1, perMs: 3_600_000 })).kind).toBe("return");
    await until("a moment is near", async () => (await ask({ requests: 10, perMs: 1_000 })).kind === "go");
  });

  it("are free when nobody came to take them, whoever was told to come", async () => {
    const rate = { requests: 1, perMs: 1_000 };
    const { id } = await connect(rate);
    for (let i = 0; i < 6; i++) await takeTurn(pool, { connectionId: id, rate, again: false });
    await pool.query(
      "update tandem.connection_rates set next_at = clock_timestamp() - interval '2 s' where connection_id = $1",
      [id],
    );
    expect(await takeTurn(pool, { connectionId: id, rate, again: false })).toEqual({ kind: "go", inMs: 0 });
  });
});

describe("places", () => {
  it("are no more than there are, however many ask at once", async () => {
    const { id: connectionId } = await connect({ requests: 1, perMs: 1 });
    const take = () => takePlace(pool, { connectionId, kind: "call", most: 5, restMs: 0 });
    const taken = (await Promise.all(Array.from({ length: 40 }, take))).filter((place) => place !== undefined);
    expect(taken.length).toBeLessThanOrEqual(5);
    const rest: Array<Place | undefined> = [];
    while (taken.length + rest.length < 5) rest.push(await take());
    expect(await take()).toBeUndefined();
    await taken[0]?.release();
    expect(await take()).toBeDefined();
  });

  it("stay taken for their rest, and are given up by who died", async () => {
    const { id: connectionId } = await connect({ requests: 1, perMs: 1 });
    const take = (restMs: number) => takePlace(pool, { connectionId, kind: "rate", most: 1, restMs });
    const first = await take(60_000);
    await first?.release();
    expect(await take(60_000)).toBeUndefined();
    await pool.query("update tandem.connection_places set expires_at = clock_timestamp() where connection_id = $1", [
      connectionId,
    ]);
    const second = await take(0);
    expect(second).toBeDefined();
    // It was taken from the first one for good: that one's word is not heard any more.
    await first?.release();
    expect(await take(0)).toBeUndefined();
    await second?.release();
  });
});

describe("a call", () => {
  const parts = { sql: pool, signal: new AbortController().signal, ready: async () => {} };

  it("is over with its call, also where Postgres cannot be told so", async () => {
    const { id } = await connect({ requests: 1, perMs: 1_000 });
    const other = createPool({ url, max: 1, name: "other" });
    const place = await takePlace(other, { connectionId: id, kind: "call", most: 1, restMs: 0 });
    await other.end();
    await expect(place?.release()).resolves.toBeUndefined();
  });

  it("waits for two seconds at most, and is then told when to come again, which is no try", async () => {
    const connection = await connect({ requests: 1_000, perMs: 1_000, concurrent: 1 });
    const first = await admitCall(parts, connection, false);
    const begun = performance.now();
    await expect(admitCall(parts, connection, false)).rejects.toMatchObject({
      code: "rate-limited",
      retryable: true,
      details: { counts: false, afterMs: expect.any(Number) },
    });
    expect(performance.now() - begun).toBeLessThan(4_000);
    await first.release();
    await (await admitCall(parts, connection, false)).release();
  });

  it("that is cancelled while it waits takes nothing along", async () => {
    const connection = await connect({ requests: 1, perMs: 60_000, concurrent: 1 });
    await (await admitCall(parts, connection, false)).release();
    await pool.query(
      "update tandem.connection_rates set next_at = clock_timestamp() + interval '1500 ms', return_at = clock_timestamp()",
    );
    const signal = AbortSignal.timeout(200);
    await expect(admitCall({ ...parts, signal }, connection, true)).rejects.toThrow(/aborted/);
    const { rows } = await pool.query(
      "select kind from tandem.connection_places where connection_id = $1 and kind = 'call' and expires_at > clock_timestamp()",
      [connection.id],
    );
    expect(rows).toEqual([]);
  });
});
