import express from "express";
import { afterAll } from "vitest";
import { z } from "zod";
import { authenticate } from "../../../src/api/auth.ts";
import { listen } from "../../../src/api/listen.ts";
import { createRestRouter } from "../../../src/api/rest/router.ts";
import type { JsonObject } from "../../../src/json.ts";
import { createLog } from "../../../src/log.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { createTestDatabase } from "../../support/database.ts";
import { createTestWorkspace, type TestWorkspace } from "../../support/engine.ts";
import { createTestGate } from "../../support/gate.ts";
import { createTestKey, createTestVault } from "../../support/vault.ts";

/** What a request was answered with. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: JsonObject;
}

const record = z.looseObject({ id: z.uuid() });
const made = z.object({ data: z.record(z.string(), record) });
const page = z.strictObject({
  data: z.record(z.string(), z.array(record)),
  totalCount: z.int(),
  totalCountIsEstimate: z.boolean(),
  pageInfo: z.strictObject({
    hasNextPage: z.boolean(),
    hasPreviousPage: z.boolean(),
    startCursor: z.string().nullable(),
    endCursor: z.string().nullable(),
  }),
});

type Record = z.output<typeof record>;
export type Page = z.output<typeof page>["pageInfo"] & { records: Record[]; total: number; totalIsEstimate: boolean };

/** `/rest` of a new workspace over real HTTP; closed after the file. */
export interface Rest extends TestWorkspace {
  readonly pool: SqlPool;
  readonly url: string;
  readonly key: string;
  call(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Creates a record of the object with this plural; gives the record. */
  make(plural: string, values: JsonObject): Promise<Record>;
  /** Lists with these parameters; throws with the problem when they are refused. */
  list(plural: string, query?: { [parameter: string]: string }): Promise<Page>;
}

export async function startRest(): Promise<Rest> {
  const { pool } = await createTestDatabase();
  const workspace = await createTestWorkspace(pool);
  const app = express();
  const { gate } = createTestGate(pool);
  const log = createLog("test", "fatal");
  app.use("/rest", authenticate({ pool, vault: createTestVault(pool) }), createRestRouter({ pool, log, gate }));
  const server = await listen(app, { host: "127.0.0.1", port: 0 });
  afterAll(() => server.close());
  const { key } = await createTestKey(pool, { workspaceId: workspace.workspace.id, name: "Tester" });
  const url = `http://127.0.0.1:${server.port}/rest`;

  const call = async (method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await fetch(`${url}/${path}`, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? {} : JSON.parse(text) };
  };

  return {
    ...workspace,
    pool,
    url,
    key,
    call,
    async make(plural, values) {
      const { status, body } = await call("POST", plural, values);
      if (status !== 201) throw new Error(`Not created: ${JSON.stringify(body)}`);
      return Object.values(made.parse(body).data)[0]!;
    },
    async list(plural, query = {}) {
      const { status, body } = await call("GET", `${plural}?${new URLSearchParams(query).toString()}`);
      if (status !== 200) throw new Error(`Not listed: ${JSON.stringify(body)}`);
      const { data, totalCount, totalCountIsEstimate, pageInfo } = page.parse(body);
      return { records: data[plural] ?? [], total: totalCount, totalIsEstimate: totalCountIsEstimate, ...pageInfo };
    },
  };
}
