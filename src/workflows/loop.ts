import { ApplicationFailure, continueAsNew, workflowInfo } from "@temporalio/workflow";
import type { LoopInput } from "../activities/contract.ts";
import { walkLoop, type At } from "../definition/interpret.ts";
import type { Verdict } from "../definition/plan.ts";
import { createWalker } from "./walker.ts";

/** Events of one execution, about: then the loop goes on in a new one. */
const mostEvents = 1_000;

/**
 * A loop whose items need activities, timers or waits of their own: walks it from its first item that is
 * not over, and gives what the ledger says came of it. What was done stands there, so that a new
 * execution goes on with nothing but the loop itself.
 */
export async function loop(input: LoopInput): Promise<Verdict> {
  const { step, path, prefix, queuePrefix, ...key } = input;
  const isFull = (): boolean => workflowInfo().historyLength > mostEvents;
  const walker = createWalker({ key, queuePrefix, steps: [step], loop: path, resting: isFull });
  const at: At = { prefix, lane: "", stopped: () => false };
  let verdict: Verdict | undefined;
  const ending = await walkLoop(step, path, at, {
    ...walker.executor,
    async execute(part, own, place, ended) {
      const decided = await walker.executor.execute(part, own, place, ended);
      if (own !== path || decided === "halt") return decided;
      // What follows the loop is its caller's to walk.
      verdict = decided;
      return { kind: "done" };
    },
  });
  if (verdict !== undefined) return verdict;
  if (ending?.kind === "stopped") return { kind: "stop", as: ending.as, path: ending.path };
  if (ending?.kind === "halted" && isFull()) return continueAsNew<typeof loop>(input);
  throw ApplicationFailure.nonRetryable(`The loop ${path} halted without an end`, "Interpreter");
}
