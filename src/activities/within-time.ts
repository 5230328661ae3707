import { CancelledFailure } from "@temporalio/activity";
import type { PlanStep } from "../definition/plan.ts";
import { StepError } from "../errors.ts";

/** Runs `work` within the step's own time; past it the try fails with code `timeout` and counts. */
export async function withinTime<T>(
  { step, cancelled }: { step: PlanStep; cancelled: AbortSignal },
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const time = AbortSignal.timeout(step.timeoutMs);
  const signal = AbortSignal.any([time, cancelled]);
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () =>
      reject(
        time.aborted
          ? new StepError("timeout", `Step "${step.name}" did not finish within ${step.timeoutMs} ms.`, {
              retryable: true,
            })
          : new CancelledFailure("The step was cancelled"),
      );
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(signal), stopped]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
