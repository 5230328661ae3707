import type { Issue } from "../errors.ts";
import type { Sql } from "../sql.ts";
import { manualSettings } from "../triggers/manual.ts";
import { checkFailureInputs } from "../triggers/manual/failure.ts";
import type { Inputs } from "../triggers/manual/inputs.ts";
import { findArmedTriggers, type ArmedTrigger } from "./triggers.ts";

/** The trigger by which a failure starts a workflow: its first manual one that concerns no record. */
export async function findFailureTrigger(
  sql: Sql,
  { workspaceId, key }: { workspaceId: string; key: string },
): Promise<{ readonly armed: ArmedTrigger; readonly inputs: Inputs } | undefined> {
  const armed = await findArmedTriggers(sql, { kind: "manual", workspaceIds: [workspaceId], inactiveToo: true });
  for (const one of armed) {
    if (one.workflowKey !== key) continue;
    const settings = manualSettings.safeParse(one.trigger);
    if (settings.success && settings.data.availability === "global")
      return { armed: one, inputs: settings.data.inputs };
  }
  return undefined;
}

/**
 * What is wrong with the workflow that failures are to start. One that was never active is left alone: two
 * that are brought together may come in either order, and a mail says so where it stays that way.
 */
export async function checkFailureWorkflow(
  sql: Sql,
  { workspaceId, key }: { workspaceId: string; key: string | undefined },
): Promise<Issue[]> {
  if (key === undefined) return [];
  const path = "onFailure.workflow";
  const trigger = await findFailureTrigger(sql, { workspaceId, key });
  if (trigger !== undefined) return checkFailureInputs(trigger.inputs, { workflow: key, at: path });
  const { rows } = await sql.query<{ active: boolean }>(
    "select status <> 'draft' as active from tandem.workflows where workspace_id = $1::uuid and key = $2",
    [workspaceId, key],
  );
  if (rows[0]?.active !== true) return [];
  return [
    { path, message: `"${key}" has no manual trigger for nothing in particular (availability: global): add one to it` },
  ];
}
