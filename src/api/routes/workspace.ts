import { z } from "zod";
import {
  changeWorkspaceSettings,
  findWorkspaceSettings,
  type WorkspaceSettings,
} from "../../catalog/workspace-settings.ts";
import { settingTypes } from "../../definition/schema.ts";
import { ProblemError } from "../../errors.ts";
import { channels, ring, ringDispatcher } from "../../runs/doorbell.ts";
import type { SqlPool } from "../../sql.ts";
import { defineEndpoint, type Answer, type Endpoint } from "../endpoint.ts";

/** What a workspace sets. */
export const settingsShape = {
  runLimit: z
    .int()
    .min(0)
    .max(10_000)
    .meta({ description: "Runs at once; 0 holds admission: runs are accepted and wait" }),
  timeZone: settingTypes.timeZone.meta({ description: "IANA zone in which dates are reckoned" }),
  currency: z.string().regex(/^[A-Z]{3}$/, "an ISO 4217 code, such as EUR"),
  alertAddresses: z
    .array(z.email())
    .max(50)
    .meta({ description: "Whom failures of workflows are told that name nobody themselves; none: nobody" }),
  alertDigestMinutes: z
    .int()
    .min(5)
    .max(10_080)
    .meta({ description: "Least minutes between two mails about one workflow's failures" }),
};
const settings = z.object(settingsShape).meta({ id: "Settings" });
const change = z.strictObject(settingsShape).partial().meta({ id: "SettingsChange" });

/** `/api/settings`: the workspace's limit, time zone, currency and alert addresses. */
export function settingsEndpoints(pool: SqlPool): Endpoint[] {
  const answer = (found: WorkspaceSettings | undefined): Answer => {
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
      handle: async ({ workspace }) => answer(await findWorkspaceSettings(pool, workspace.id)),
    }),
    defineEndpoint({
      method: "put",
      path: "/api/settings",
      tag: "Workspace",
      summary: "Change the workspace's settings",
      description: "Those not named stay.",
      body: change,
      answers: { 200: settings },
      async handle({ workspace, body }) {
        const changed = await changeWorkspaceSettings(pool, workspace.id, body);
        // A higher limit lets waiting runs go; schedules without a zone of their own follow the workspace's.
        ringDispatcher(pool);
        ring(pool, channels.triggers);
        return answer(changed);
      },
    }),
  ];
}
