import { condition, defineSignal, setHandler, workflowInfo } from "@temporalio/workflow";
import type { VersionKey } from "../activities/contract.ts";
import type { At } from "../definition/interpret.ts";
import type { PlanStep } from "../definition/plan.ts";
import { local, lost, type remote } from "./activities.ts";

/** Rung when something the workflow waits for was settled: it says "look", nothing else. */
const doorbell = defineSignal("doorbell");

/** A run looks at its wait by itself this often, should every ring be lost. */
const lookAgain = "3 minutes";
/** Its slot could not be given back: a wait was about to be over. */
const parkAgain = "5 seconds";

interface Waiter {
  readonly key: VersionKey;
  /** Of a loop's own workflow. */
  readonly loop?: string | undefined;
  readonly beside: ReturnType<typeof remote>;
}

/**
 * How the walks of a workflow wait for what the ledger says, beside one another; where all of them do, the
 * run gives its slot back.
 */
export function createWaiting({ key, loop, beside }: Waiter) {
  const { runId } = key;
  let [rings, underWay, waiting] = [0, 0, 0];
  let parked = false;
  setHandler(doorbell, () => {
    rings += 1;
  });

  /** Counts as under way what the work does. */
  async function counted<T>(work: () => Promise<T>): Promise<T> {
    underWay += 1;
    try {
      return await work();
    } finally {
      underWay -= 1;
    }
  }

  /** Waits until the wait of a step is settled, or what the walk lies in is over. */
  async function settled(waitId: string, step: PlanStep, at: At): Promise<void> {
    const wait = { runId, waitId, ...(loop === undefined ? {} : { waiter: workflowInfo().workflowId }) };
    waiting += 1;
    try {
      for (;;) {
        const heard = rings;
        const isRung = (): boolean => rings > heard || at.stopped();
        const settledNow = await by(at).readWait.executeWithOptions({ summary: waitId }, [wait]).catch(lost(false));
        if (settledNow || at.stopped()) return;
        await condition(() => isRung() || (step.beside === true && mayPark()), lookAgain);
        if (!isRung() && step.beside === true && mayPark()) await park(isRung);
      }
    } finally {
      waiting -= 1;
      parked = false;
    }
  }

  /** Gives the run's slot back. Where that cannot be yet, it is tried again later. */
  async function park(isRung: () => boolean): Promise<void> {
    parked = true;
    if (await beside.park(key).catch(lost(false))) return;
    await condition(isRung, parkAgain);
    parked = false;
  }

  function by(at: At): Pick<typeof local, "runBlock" | "readWait"> {
    return at.lane === "" ? local : beside;
  }

  /** Every walk here waits: the run needs no slot. */
  function mayPark(): boolean {
    return !parked && waiting === underWay;
  }

  return { counted, settled, by };
}
