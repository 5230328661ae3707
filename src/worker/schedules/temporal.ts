import { createHash } from "node:crypto";
import {
  isGrpcServiceError,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  type ScheduleSpec,
} from "@temporalio/client";
import { msToTs, optionalTsToDate } from "@temporalio/common/lib/time.js";
import type { ScheduleInput } from "../../activities/contract.ts";
import type { TemporalLink } from "../temporal.ts";

/** A Schedule as it is to be in Temporal. */
export interface WantedSchedule {
  readonly id: string;
  readonly spec: ScheduleSpec;
  readonly catchUpMs: number;
  readonly input: ScheduleInput;
  /** What the Web UI shows beside it. */
  readonly note: string;
  readonly memo: Readonly<Record<string, string>>;
}

/** A Schedule as it is in Temporal. */
export interface FoundSchedule {
  /** Digest of what it fires, when and how, without its pause: another digest is somebody's edit. */
  readonly digest: string;
  readonly paused: boolean;
  readonly note: string;
  readonly nextAt: readonly Date[];
}

/** What is asked of Temporal about Schedules. */
export interface Schedules {
  find(id: string): Promise<FoundSchedule | undefined>;
  /** One that is there already stays as it is. */
  create(wanted: WantedSchedule, state: { paused: boolean; note: string }): Promise<void>;
  /** Puts right what it fires, when and how; its pause stays. */
  replace(wanted: WantedSchedule): Promise<void>;
  setPaused(id: string, paused: boolean, note: string): Promise<void>;
  /** One that is gone already is no fault. */
  remove(id: string): Promise<void>;
  /** Ids of the installation's Schedules. It lags a little behind. */
  list(): Promise<string[]>;
  /** Its moments from one to the other, both included, a thousand at most; what is paused has them, too. */
  moments(id: string, from: Date, to: Date): Promise<Date[]>;
}

/** So many moments Temporal lists at a time. */
export const mostMoments = 1_000;

/** So long an answer is waited for: Temporal itself takes five seconds for one where a part of it does not answer. */
const askMs = 10_000;

/** Marks a Schedule as this installation's, whatever its id. */
const owner = "tandemInstallation";

export function createSchedules(link: TemporalLink, installation: string): Schedules {
  const { client, connection, namespace } = link;
  const { schedule } = client;
  const settingsOf = ({ id, spec, catchUpMs, input }: WantedSchedule) => ({
    spec,
    action: {
      type: "startWorkflow" as const,
      workflowType: "fire",
      taskQueue: `${installation}-runs`,
      // Temporal appends the moment.
      workflowId: id,
      args: [input],
    },
    policies: { overlap: "ALLOW_ALL" as const, catchupWindow: catchUpMs, pauseOnFailure: false },
  });
  /** A question that got lost with a server that died would be waited for without an end. */
  const within = <T>(ask: () => Promise<T>): Promise<T> => connection.withDeadline(Date.now() + askMs, ask);
  const absent = (error: unknown): undefined => {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  };
  return {
    async find(id) {
      const found = await within(() => schedule.getHandle(id).describe()).catch(absent);
      if (found === undefined) return undefined;
      const { state, info, raw } = found;
      const { spec, action, policies } = raw.schedule ?? {};
      return {
        digest: digestOf({ spec, action, policies }),
        paused: state.paused,
        note: state.note ?? "",
        nextAt: info.nextActionTimes,
      };
    },
    async create(wanted, state) {
      const memo = { ...wanted.memo, [owner]: installation };
      try {
        await within(() => schedule.create({ scheduleId: wanted.id, ...settingsOf(wanted), memo, state }));
      } catch (error) {
        if (!(error instanceof ScheduleAlreadyRunning)) throw error;
      }
    },
    async replace(wanted) {
      const handle = schedule.getHandle(wanted.id);
      await within(() =>
        handle.update(({ state }) => {
          const note = state.paused ? state.note : wanted.note;
          return { ...settingsOf(wanted), state: { paused: state.paused, ...(note === undefined ? {} : { note }) } };
        }),
      );
    },
    async setPaused(id, paused, note) {
      const handle = schedule.getHandle(id);
      await within(() => (paused ? handle.pause(note) : handle.unpause(note)));
    },
    async remove(id) {
      await within(() => schedule.getHandle(id).delete()).catch(absent);
    },
    async list() {
      const ids: string[] = [];
      await within(async () => {
        for await (const { scheduleId, memo } of schedule.list())
          if (memo?.[owner] === installation) ids.push(scheduleId);
      });
      return ids;
    },
    async moments(id, from, to) {
      const asked = {
        namespace,
        scheduleId: id,
        // Its beginning is not among them; a schedule's moments are whole seconds.
        startTime: msToTs(from.getTime() - 1),
        endTime: msToTs(to.getTime()),
      };
      const { startTime } = await within(() => connection.workflowService.listScheduleMatchingTimes(asked));
      return startTime.flatMap((moment) => optionalTsToDate(moment) ?? []);
    },
  };
}

/** Whether the error says that Temporal could not be asked, not that it refused. */
export function isTemporalAway(error: unknown): boolean {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return isGrpcServiceError(cause) && unreachable.has(cause.code);
}

/** DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE. */
const unreachable = new Set([4, 8, 13, 14]);

/** A short digest of anything that is JSON. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("base64url").slice(0, 22);
}
