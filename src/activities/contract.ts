import type { Sinks } from "@temporalio/workflow";
import type { Ending } from "../definition/interpret.ts";
import type { ItemEnd, IteratorStep, Plan, Verdict } from "../definition/plan.ts";

/**
 * What workflows and activities say to each other. Types only, and nothing behind them: this is all of
 * `activities` that reaches Temporal's sandbox. No payload, no field value, no secret passes here.
 */
export interface Activities {
  /** Local: does quick steps until it must hand back. Never throws. */
  runBlock(input: BlockInput): Promise<BlockResult>;
  /** One step, on its own queue. Fails with type `StepFailed` and the verdict when it failed for good. */
  runStep(input: StepInput): Promise<StepAnswer>;
  /** Gives the run's slot back, since all its steps wait. Never throws. */
  park(key: VersionKey): Promise<boolean>;
  /** Local: whether the wait is settled. Never throws. */
  readWait(wait: WaitKey): Promise<boolean>;
  /** Local: closes the run in the ledger. Never throws. */
  closeRun(input: CloseInput): Promise<CloseResult>;
  /** Enqueues the run of a moment that a Schedule rang for. Retried until it has an answer. */
  fireSchedule(input: FireInput): Promise<FireAnswer>;
  /** Makes launches of signals; what is none is kept as refused. Retried until all are committed. */
  takeLaunches(input: TakeInput): Promise<readonly LaunchOutcome[]>;
}

/** A wait of a run. */
export interface WaitKey {
  readonly runId: string;
  readonly waitId: string;
  /** The workflow that waits, where that is not the run's own: it is rung. */
  readonly waiter?: string;
}

/** What a workflow tells its own worker in passing: nothing comes of it in its history. */
export interface RunSinks extends Sinks {
  runs: {
    /** A worker has taken up the run. */
    begun(): void;
  };
}

/** A run's version, under the fence that its workflow was started with. */
export interface VersionKey {
  readonly runId: string;
  readonly fence: number;
  readonly versionId: string;
}

export interface BlockInput extends VersionKey {
  /** Path of the step the workflow stands before: verdicts from there on are given back. */
  readonly from: string;
  /** What is walked; absent: the whole plan. */
  readonly scope?: BlockScope;
}

/** A part of the plan that a block walks by itself: an item of a loop, or a branch of a parallel. */
export interface BlockScope {
  /** The loop's or parallel's node. */
  readonly node: number;
  /** Of a parallel. */
  readonly branch?: number;
  /** Stands before the ids of steps there: `each[42].`. */
  readonly prefix: string;
}

/** What a block did: what the workflow needs, and what people read in the Web UI. At most 4 KB. */
export interface BlockResult {
  /** Step path → what was decided and is sealed. */
  readonly steps: { readonly [path: string]: Verdict };
  readonly halt?: Halt;
  /** The run's end, when the block came to it: the ledger is closed then. */
  readonly ending?: RunEnding;
}

/** Why a block handed back before the run's end. */
export type Halt = { readonly at?: HaltedAt } & HaltReason;

/** The step that a block handed back before: where it is, and the plan's node. */
export interface HaltedAt {
  readonly path: string;
  readonly node: number;
}

type HaltReason =
  /** The next step is not for the quick lane, or ran into a fault of ours: an activity does it. */
  | { readonly why: "ordinary" }
  /** Its time or its room was used up: another block goes on. */
  | { readonly why: "time" }
  /** The target failed: the step goes on as an activity after the pause. */
  | { readonly why: "retry"; readonly inMs: number }
  /** The same, after a wait that gives up the run's slot. */
  | { readonly why: "wait"; readonly waitId: string }
  /** The run holds no slot: another block goes on when it has one. */
  | { readonly why: "slot"; readonly waitId: string }
  /** The run is not open under this fence. */
  | { readonly why: "fenced" };

export type RunEnding = Exclude<Ending, { kind: "halted" }>;

export interface StepInput extends VersionKey {
  readonly node: number;
  readonly path: string;
  /** How the item came out that the step closes. */
  readonly ended?: ItemEnd;
}

/** What an ordinary step decided, with a preview for the Web UI: names and counts, no values. */
export type StepAnswer =
  | {
      readonly verdict: Verdict;
      readonly outcome?: string;
      readonly id?: string;
      readonly changedFields?: readonly string[];
      readonly count?: number;
    }
  /** Its next try lies ahead: the run waits for this wait to be settled, then asks again. */
  | { readonly waitId: string }
  /** The run is over, and its workflow has not heard so: a worker died as it closed it, or the workflow was reset. */
  | { readonly over: CloseInput["ending"] };

export interface CloseInput extends VersionKey {
  readonly ending: RunEnding | { readonly kind: "cancelled" };
}

/** `closed` with how it ended in the ledger; `again`: Postgres is away, or a cancel is on its way. */
export type CloseResult = { readonly closed: CloseInput["ending"] } | { readonly again: "unavailable" | "fenced" };

/** Bare structure and ids: the argument of the workflow `run`. */
export interface RunInput extends VersionKey {
  readonly plan: Plan;
  /** Task queues are `<prefix>-runs`, `-http`, `-code` and `-email`. */
  readonly queuePrefix: string;
}

/** The argument of the workflow `loop`: a loop of a run, from its first item that is not over. */
export interface LoopInput extends VersionKey {
  readonly step: IteratorStep;
  readonly path: string;
  /** Stands before the ids of steps beside the loop. */
  readonly prefix: string;
  readonly queuePrefix: string;
}

/** The argument of the workflow `fire`, which a Schedule starts: whose it is. */
export interface ScheduleInput {
  readonly workflowId: string;
  readonly triggerId: string;
}

/** Moments as ISO 8601. */
export interface FireInput extends ScheduleInput {
  /** The moment that was meant. */
  readonly at: string;
  /** When the Schedule rang. */
  readonly rangAt: string;
}

/** The run, or why there is none: what the Web UI shows as the firing's result. */
export type FireAnswer = { readonly runId: string } | { readonly nothing: string };

/** Whose launcher it is, and its own id in Temporal, which says whom a launch is by. */
export interface LauncherKey {
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly launcherId: string;
}

/** The argument of the workflow `launcher`. */
export interface LauncherInput extends LauncherKey {
  /** What it remembers of earlier: the last outcomes, the newest first. */
  readonly recent: readonly LaunchOutcome[];
}

/** A signal as it came: text, or why there is none. The id is the launch's where the text names none. */
export type LaunchSignal =
  | { readonly id: string; readonly text: string; readonly fault?: undefined }
  | { readonly id: string; readonly text?: undefined; readonly fault: string };

export interface TakeInput extends LauncherKey {
  readonly signals: readonly LaunchSignal[];
}

/** What became of a signal. */
export interface LaunchOutcome {
  /** ISO 8601. */
  readonly at: string;
  readonly launchId: string;
  /** `repeated`: it was launched before under this id. */
  readonly status: "launched" | "repeated" | "refused";
  /** Of the launch, in the API. */
  readonly id?: string;
  /** Why it was refused. */
  readonly reason?: string;
  /** The launch id that a refused one asked for; it stays free. */
  readonly askedId?: string;
}
