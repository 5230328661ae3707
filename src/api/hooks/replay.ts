import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers, startingOf, type ArmedTrigger } from "../../catalog/triggers.ts";
import { ProblemError } from "../../errors.ts";
import type { WholeDelivery } from "../../runs/delivery-log.ts";
import { describeRun } from "../../runs/describe-run.ts";
import type { NewRun } from "../../runs/enqueue.ts";
import type { SqlPool } from "../../sql.ts";
import { fitBody, triggerOf } from "./accept.ts";
import { compileArmed } from "./load-hook.ts";
import { readSent } from "./sent.ts";

/** What is read again of a delivery. */
export type Replayable = Omit<WholeDelivery, "replays">;

/**
 * The run that a delivery starts when it is replayed: under the active version, by what the trigger
 * declares now. `force`: also where its sender was not known. Throws a ProblemError where there is none.
 */
export async function replayRun(
  parts: { pool: SqlPool; kinds: StepKinds },
  delivery: Replayable,
  { workspaceId, force }: { workspaceId: string; force: boolean },
): Promise<NewRun> {
  const { body } = delivery;
  refuseUnfit(delivery, force);
  const armed = await getArmed(parts.pool, workspaceId, delivery);
  const webhook = await compileArmed(armed, () => Promise.resolve(armed.trigger));
  const sent = fitBody(webhook, await readSent({ ...delivery, body }));
  const trigger = triggerOf(delivery.triggerId, delivery, { body: sent, replayOf: delivery.id });
  return describeRun(await startingOf(parts.pool, parts, armed), { trigger });
}

function refuseUnfit({ outcome, status, body }: Replayable, force: boolean): void {
  if (outcome === "answered")
    throw new ProblemError(
      409,
      "nothing-to-replay",
      "The delivery was a question, and is answered: it starts nothing.",
    );
  if (body === null)
    throw new ProblemError(
      409,
      "body-not-kept",
      "The body of this delivery was not kept: it was refused before it was read, or came from somebody unknown or too often and was large.",
    );
  if (status === 401 && !force)
    throw new ProblemError(
      409,
      "sender-unknown",
      "The delivery was refused since its sender was not known. To replay it nevertheless, say `force`.",
    );
}

async function getArmed(
  pool: SqlPool,
  workspaceId: string,
  { workflowId, triggerId }: Replayable,
): Promise<ArmedTrigger> {
  const query = { kind: "webhook", workspaceIds: [workspaceId], workflowId, triggerId };
  const [armed] = await findArmedTriggers(pool, query);
  if (armed !== undefined) return armed;
  throw new ProblemError(
    409,
    "workflow-inactive",
    `The workflow is not active with a webhook "${triggerId}". Activate it to replay what it has received.`,
  );
}
