import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import type { Sql, SqlPool } from "../../sql.ts";
import { settingTypes } from "../../definition/schema.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";

const shape = {
  runLimit: z
    .int()
    .min(0)
    .max(10_000)
    .meta({ description: "Runs at once; 0 holds admission: runs are accepted and wait" }),
  timeZone: settingTypes.timeZone.meta({ description: "IANA zone in which dates are reckoned" }),
  currency: z.string().regex(/^[A-Z]{3}$/, "an ISO 4217 code, such as EUR"),
};
const settings = z.object(shape).meta({ id: "Settings" });

type Settings = z.output<typeof settings>;

const columns = `run_limit as "runLimit", time_zone as "timeZone", currency`;

async function readSettings(sql: Sql, workspaceId: string): Promise<Settings | undefined> {
  const { rows } = await sql.query<Settings>(`select ${columns} from tandem.workspaces where id = $1`, [workspaceId]);
  return rows[0];
}

async function writeSettings(sql: Sql, workspaceId: string, change: Partial<Settings>): Promise<Settings | undefined> {
  const { rows } = await sql.query<Settings>(
    `update tandem.workspaces set run_limit = coalesce($2, run_limit), time_zone = coalesce($3, time_zone), currency = coalesce($4, currency)
     where id = $1 returning ${columns}`,
    [workspaceId, change.runLimit ?? null, change.timeZone ?? null, change.currency ?? null],
  );
  return rows[0];
}

/** `/api/settings`: the workspace's limit, time zone and currency. */
export function settingsEndpoints(pool: SqlPool): Endpoint[] {
  const answer = (found: Settings | undefined) => {
    if (found === undefined) throw new ProblemError(404, "workspace-not-found", "The workspace is gone.");
    return { body: found };
  };
  return [
    defineEndpoint({
      method: "get",
      path: "/api/settings",
      tag: "Workspace",
      summary: "The workspace's settings",
      answers: { 200: settings },
      handle: async ({ workspace }) => answer(await readSettings(pool, workspace.id)),
    }),
    defineEndpoint({
      method: "put",
      path: "/api/settings",
      tag: "Workspace",
      summary: "Change the workspace's settings",
      description: "Those not named stay.",
      body: z.strictObject(shape).partial(),
      answers: { 200: settings },
      async handle({ workspace, body }) {
        const changed = await writeSettings(pool, workspace.id, body as Partial<Settings>);
        ringDispatcher(pool);
        return answer(changed);
      },
    }),
  ];
}
