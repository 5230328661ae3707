import { Context } from "@temporalio/activity";
import { closeRun, park, readWait } from "./close-run.ts";
import type { Activities } from "./contract.ts";
import type { Environment } from "./environment.ts";
import { fireSchedule } from "./fire-schedule.ts";
import { runBlock } from "./quick-lane.ts";
import { runStep } from "./run-step.ts";
import { takeLaunches } from "./take-launches.ts";

/** The activities of one worker process. */
export function createActivities(environment: Environment): Activities {
  return {
    runBlock: (input) => runBlock(environment, input, Context.current().cancellationSignal),
    runStep: (input) => runStep(environment, input),
    park: (key) => park(environment, key),
    readWait: (wait) => readWait(environment, wait),
    closeRun: (input) => closeRun(environment, input),
    fireSchedule: (input) => fireSchedule(environment, input),
    takeLaunches: (input) => takeLaunches(environment, input),
  };
}
