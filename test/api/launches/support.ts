import { afterAll, expect } from "vitest";
import type { Json, JsonObject } from "../../../src/json.ts";
import { createLog } from "../../../src/log.ts";
import { createLaunchLoop } from "../../../src/runs/launches/loop.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { recordKinds } from "../../support/engine.ts";
import { until } from "../../support/until.ts";
import { startGateway, type Answer, type Gateway } from "../gateway.ts";

/** A run of a launch as it was enqueued. */
interface LaunchedRun {
  readonly id: string;
  readonly trigger: JsonObject;
  readonly priority: number;
}

/** A gateway, and what carries its launches out, without Temporal: runs stay queued. */
export interface Launching extends Pick<Gateway, "call" | "workspaceId" | "strangerKey"> {
  /** Makes and activates a workflow; gives its id. */
  install(definition: JsonObject): Promise<string>;
  launch(workflow: string, body: Json, headers?: Record<string, string>): Promise<Answer>;
  /** Makes people of these first names; gives their ids. */
  makePeople(names: readonly string[], fields?: JsonObject): Promise<string[]>;
  /** The launch, when all that it makes is made. */
  settled(id: Json | undefined): Promise<JsonObject>;
  runsOf(id: Json | undefined): Promise<LaunchedRun[]>;
}

/** A definition with one manual trigger and one `set`. */
export function manualDefinition(key: string, trigger: JsonObject = {}, rest: JsonObject = {}): JsonObject {
  return {
    formatVersion: 1,
    key,
    name: key,
    triggers: [{ id: "button", kind: "manual", ...trigger }],
    steps: [{ id: "answer", kind: "set", input: { x: 1 } }],
    ...rest,
  };
}

/** The faults of a refusal, each with its place. */
export function issuesOf({ body }: Answer): string[] {
  return ((body["issues"] ?? []) as { path: string; message: string }[]).map(
    ({ path, message }) => `${path}: ${message}`,
  );
}

export async function startLaunching(pool: SqlPool): Promise<Launching> {
  const { call, workspaceId, strangerKey } = await startGateway(pool);
  const loop = createLaunchLoop({ pool, kinds: recordKinds, log: createLog("test", "fatal") });
  loop.start();
  afterAll(() => loop.stop());
  return {
    call,
    workspaceId,
    strangerKey,
    async install(definition) {
      const made = await call("POST", "/api/workflows", { body: definition });
      expect(made.text).toContain('"draft"');
      const id = String(made.body["id"]);
      expect((await call("POST", `/api/workflows/${id}/activate`)).status).toBe(200);
      return id;
    },
    launch: (workflow, body, headers = {}) => call("POST", `/api/workflows/${workflow}/launch`, { body, headers }),
    async makePeople(names, fields = {}) {
      const { body } = await call("POST", "/rest/batch/people", {
        body: names.map((firstName) => ({ name: { firstName }, ...fields })),
      });
      return ((body["data"] as JsonObject)["createPeople"] as JsonObject[]).map(({ id }) => String(id));
    },
    settled: (id) =>
      until(`launch ${String(id)} to be over`, async () => {
        const { body } = await call("GET", `/api/launches/${String(id)}`);
        return body["status"] === "starting" ? undefined : body;
      }),
    async runsOf(id) {
      const { rows } = await pool.query<LaunchedRun>(
        "select id, trigger, priority from tandem.runs where launched_by ->> 'launch' = $1 order by id",
        [id],
      );
      return rows;
    },
  };
}
