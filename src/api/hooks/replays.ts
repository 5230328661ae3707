import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { ProblemError } from "../../errors.ts";
import type { Log } from "../../log.ts";
import { deliveryOutcomes, readDeliveries, type DeliveryFilter } from "../../runs/delivery-log.ts";
import { ringDispatcher } from "../../runs/doorbell.ts";
import type { Reason } from "../../runs/deliveries.ts";
import { createLoop, type Loop } from "../../runs/loop.ts";
import { claimReplay, commitReplayed, type ClaimedReplay, type Replayed } from "../../runs/replays.ts";
import { sqlState, type SqlPool } from "../../sql.ts";
import { isAway } from "../problem.ts";
import { replayRun, type Replayable } from "./replay.ts";

/** How often is looked for replays that a gateway which died has left; a new one rings. */
const restMs = 15_000;
/** Deliveries at once, and bytes of their bodies. */
const batch = { limit: 50, bytes: 8 * 1024 * 1024 };

const time = z.iso
  .datetime()
  .transform((text) => new Date(text))
  .optional();
/** A filter as its column holds it. */
const storedFilter: z.ZodType<DeliveryFilter> = z.object({
  workflowId: z.string().optional(),
  triggerId: z.string().optional(),
  outcome: z.enum(deliveryOutcomes).optional(),
  reason: z.string().optional(),
  runId: z.string().optional(),
  from: time,
  to: time,
});

interface Parts {
  readonly pool: SqlPool;
  readonly kinds: StepKinds;
}

/**
 * Works off replays of many deliveries, batch by batch, each of which commits whole. Any number of
 * gateways may do so: a replay is one's at a time, and goes on with another when that one is gone.
 */
export function createReplays({ log, ...parts }: Parts & { readonly log: Log }): Loop {
  let current: ClaimedReplay | undefined;
  return createLoop({
    work: "replaying deliveries",
    log,
    async round() {
      current ??= await claimReplay(parts.pool);
      if (current === undefined) return restMs;
      current = await replayBatch(parts, current);
      return 0;
    },
  });
}

/** The replay as it goes on; undefined: it is over, or another's. */
async function replayBatch(parts: Parts, claimed: ClaimedReplay): Promise<ClaimedReplay | undefined> {
  const { workspaceId, doneThrough: after } = claimed;
  const filter = storedFilter.parse(claimed.filter);
  const deliveries = await readDeliveries(parts.pool, { workspaceId, filter, after, ...batch });
  const replayed: Replayed[] = [];
  for (const delivery of deliveries) replayed.push(await replay(parts, claimed, delivery));
  const last = deliveries.at(-1);
  if (!(await commitReplayed(parts.pool, claimed, replayed)) || last === undefined) return undefined;
  ringDispatcher(parts.pool);
  return { ...claimed, doneThrough: last.id };
}

async function replay(parts: Parts, claimed: ClaimedReplay, delivery: Replayable): Promise<Replayed> {
  try {
    return { deliveryId: delivery.id, run: await replayRun(parts, delivery, claimed) };
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    return { deliveryId: delivery.id, reason };
  }
}

/**
 * Why a delivery starts nothing; undefined where that is Postgres's affair: then it is tried again. What
 * else is wrong will be the next time too, and must keep neither the others nor other replays.
 */
function reasonOf(error: unknown): Reason | undefined {
  if (error instanceof ProblemError) return { code: error.code, detail: error.message, issues: error.issues };
  if (isAway(error) || sqlState(error) !== undefined) return undefined;
  const said = error instanceof Error ? error.message : String(error);
  return { code: "cannot-start", detail: `The workflow cannot be started as it is: ${said}`, issues: [] };
}
