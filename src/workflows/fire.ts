import { defineSearchAttributeKey, SearchAttributeType } from "@temporalio/common";
import { ApplicationFailure, proxyActivities, workflowInfo } from "@temporalio/workflow";
import type { Activities, FireAnswer, ScheduleInput } from "../activities/contract.ts";

/** Set by Temporal on what a Schedule starts: the moment that was meant, also when it comes late. */
const scheduledStartTime = defineSearchAttributeKey("TemporalScheduledStartTime", SearchAttributeType.DATETIME);

const { fireSchedule } = proxyActivities<Pick<Activities, "fireSchedule">>({
  startToCloseTimeout: "30s",
  // Until it has an answer: Postgres may be away.
  retry: { initialInterval: "250ms", backoffCoefficient: 2, maximumInterval: "10s" },
});

/** One ring of a Schedule: Temporal is the clock, and what comes of it is decided in Postgres. */
export async function fire(schedule: ScheduleInput): Promise<FireAnswer> {
  const { typedSearchAttributes, startTime } = workflowInfo();
  const at = typedSearchAttributes.get(scheduledStartTime);
  if (at === undefined)
    throw ApplicationFailure.nonRetryable("Only a Schedule starts this workflow: it has no scheduled time.", "NoTime");
  return fireSchedule({ ...schedule, at: at.toISOString(), rangAt: startTime.toISOString() });
}
