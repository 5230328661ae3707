import type { StepKinds } from "../activities/step-kind.ts";
import type { Log } from "../log.ts";
import type { Loop } from "../runs/loop.ts";
import type { SqlPool } from "../sql.ts";
import { createScheduleKeeper } from "./schedules/keeper.ts";
import { createSchedules } from "./schedules/temporal.ts";
import { createWishKeeper } from "./schedules/wishes.ts";
import type { TemporalLink } from "./temporal.ts";

/** What a worker does for schedules beside firing them: keeps them in Temporal, and asks it what people want to know. */
export function createScheduleLoops(parts: {
  pool: SqlPool;
  kinds: StepKinds;
  link: TemporalLink;
  installation: string;
  log: Log;
  /** Called after runs were enqueued. */
  enqueued(): void;
}): Loop {
  const { link, installation } = parts;
  const schedules = createSchedules(link, installation);
  const loops = [createScheduleKeeper({ ...parts, schedules }), createWishKeeper({ ...parts, schedules })];
  return {
    start: () => loops.forEach((loop) => loop.start()),
    ring: () => loops.forEach((loop) => loop.ring()),
    async stop() {
      await Promise.all(loops.map((loop) => loop.stop()));
    },
  };
}
