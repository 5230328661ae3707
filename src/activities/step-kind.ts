import type { z } from "zod";
import type { Objects } from "../crm/objects.ts";
import type { ViewNames } from "../crm/views.ts";
import type { Issue } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import type { QueueName, RetryPolicy, Verdict } from "../definition/plan.ts";
import type { Place } from "../definition/expressions.ts";
import type { Seal, Sealed } from "../runs/seal.ts";
import type { SqlPool } from "../sql.ts";
import type { Workspace } from "../workspace.ts";

/** What a step may know of the run it is in. */
export interface StepContext {
  readonly sql: SqlPool;
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly run: {
    readonly id: string;
    readonly workflowId: string;
    readonly workflowKey: string;
    readonly depth: number;
  };
  /** The step's address in the run; with the run's id, the name of its result. */
  readonly path: string;
  /** The run's fence when the attempt began: what it commits demands that it still stands. */
  readonly fence: number;
  /** Aborts when the step's time is up, the run is cancelled or the worker stops. */
  readonly signal: AbortSignal;
  /**
   * Values of secrets of the workspace, by name, for an outside kind that signs or authorizes. What was
   * opened is taken out of all that is stored of the step. Throws StepError where one is not there.
   */
  openSecrets(names: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Names further texts that are secret, such as a token that was fetched: they are taken out too. */
  conceal(texts: Iterable<string>): void;
  /** Takes secrets out of a value. What a step stores by itself (pages of a list) goes through this. */
  redact(value: Json): Json;
}

/** What a step gives: `output` is what expressions read, `outcome` one word for people. */
export interface StepOutcome {
  readonly output: Json;
  readonly outcome: string | null;
  /** `skipped`: there was nothing to do. Default `done`. */
  readonly status?: "done" | "skipped";
  /** What it printed, 64 KiB at most; kept with the step. */
  readonly log?: string;
  /** Lists that it wrote as pages itself, with their lengths: in `output` `{ count }` stands in their place. */
  readonly lists?: Readonly<Record<string, number>>;
}

interface StepKindBase<Input> {
  /** Kebab-case, as definitions name it. */
  readonly kind: string;
  /** Rises when the meaning of `input` changes; the plan freezes it. */
  readonly version: number;
  readonly title: string;
  /** What it does, in a sentence or two, for the docs and the API. */
  readonly description: string;
  readonly queue: QueueName;
  readonly timeoutMs: number;
  /** Policy where the step names none. */
  readonly retry: RetryPolicy;
  /**
   * Shape of the resolved input. Also checks the definition: there an expression may stand in the
   * place of any value that is not a `fixed` key.
   */
  readonly input: z.ZodType<Input>;
  readonly output: z.ZodType;
  /** Keys of the input that must be written out, since activation looks them up: `object`, `strategy`. */
  readonly fixed: readonly string[];
  /** Whether the quick lane may do it with this input, as written; by default what reads or changes records. */
  readonly quick?: (input: JsonObject) => boolean;
  /** The time of a try with this input, as written, where that is not always the same. */
  readonly timeoutFor?: (input: JsonObject) => number;
  /** Keys of the input that take a long list unread, where it is exactly one path: what `longListOf` knows. */
  readonly byReference?: readonly string[];
  /** How expressions under a key are escaped; keys not named are `data`. */
  readonly places?: Readonly<Record<string, Place>>;
  /** Keys under which `| optional` is refused, since dropping would widen what is asked. */
  readonly strict?: readonly string[];
  /**
   * Where its output has records of its `object`, from which expressions may go on by relations:
   * `["first"]`; `*` is any item of a list.
   */
  readonly records?: ReadonlyArray<readonly string[]>;
  /** The key of the input that declares, as JSON Schema, the part of the output that `at` leads to. */
  readonly declared?: { readonly by: string; readonly at: readonly string[] };
  /** An input and what it gives, for docs and tests. */
  readonly sample: { readonly input: JsonObject; readonly output: Json };
  /** What activation refuses beyond the shape: unknown objects, fields, options. `at` is the input's place. */
  readonly check?: (input: JsonObject, context: CheckContext) => Issue[];
  /** What only trying tells, such as whether a source can be read: refused as what `check` refuses. */
  readonly examine?: (input: JsonObject, at: string) => Promise<Issue[]>;
}

export interface CheckContext {
  readonly objects: Objects;
  /** Names of the views by object; undefined: not known here, and so not checked. */
  readonly views?: ViewNames | undefined;
  /** Keys of the workspace's connections; undefined: not known here, and so not checked. */
  readonly connections?: ReadonlySet<string> | undefined;
  /** Keys of the workspace's workflows, its own among them; undefined: they are not checked. */
  readonly workflows?: ReadonlySet<string> | undefined;
  readonly at: string;
}

/** Asks and changes nothing: its result may be sealed together with a later step's. */
export interface ReadKind<Input> extends StepKindBase<Input> {
  readonly effect: "read";
  run(context: StepContext, input: Input): Promise<StepOutcome>;
}

/** Changes records. Seals its own result in the statement or transaction that makes the change. */
export interface RecordKind<Input> extends StepKindBase<Input> {
  readonly effect: "record";
  /** It may commit in several transactions: what is done once under a value is taken before the first. */
  readonly inParts?: true;
  run(context: StepContext, input: Input, seal: Seal): Promise<Sealed>;
}

/**
 * Acts on the world outside; never in the quick lane. `prepare` gives what will be sent, which is
 * stored before the first attempt; `perform` sends exactly that, at every attempt (DURABILITY.md §4).
 *
 * A secret in the input is a mark in its place: it comes through `prepare` as it is and is stored as a
 * reference; the request that `perform` gets holds the value, encoded as its place in the input demands.
 * So whatever else encodes or cuts text (forms, query strings, base64) belongs in `perform`.
 *
 * Of what `perform` throws as StepError, `details` say more: `unsure` (the target may have acted),
 * `acted` (it answered, though not as the step can use it: what is done once under a value is not free),
 * `afterMs` (the least pause before the next try), `counts: false` (not a try of the target).
 */
export interface OutsideKind<Input, Request extends Json> extends StepKindBase<Input> {
  readonly effect: "outside";
  /** Undefined: there is nothing to send; the outcome is the step's. */
  prepare(context: StepContext, input: Input, key: string): Promise<{ request: Request } | StepOutcome>;
  perform(context: OutsideContext, request: Request): Promise<StepOutcome>;
  /**
   * Whether a request that was not answered may be sent again: it changes nothing, or the target honours
   * the key. Asked once, when the request is stored. By default none may.
   */
  repeatable?(request: Request): boolean;
  /** Its `perform` says by `sending` when bytes leave, since it may wait before. By default that is said for it. */
  readonly saysWhenSending?: true;
}

export interface OutsideContext extends StepContext {
  /** Hash of run and step, or of the step's `once`: the Idempotency-Key, and the local part of a Message-ID. */
  readonly key: string;
  /** Number of this attempt: of two, the one that has stood still is the lower. */
  readonly attempt: number;
  /** An earlier attempt may have reached the target and was not answered. */
  readonly unsure: boolean;
  /** What earlier attempts got through; `save` commits it. */
  readonly progress: JsonObject;
  save(progress: JsonObject): Promise<void>;
  /** Commits that bytes are about to leave: from here on, without an answer, the target may have acted. */
  sending?(): Promise<void>;
}

/** Waits, asks, calls another workflow, answers or ends the run: what it does is the engine's. */
export interface ControlKind<Input> extends StepKindBase<Input> {
  readonly effect: "control";
  run(context: StepContext, input: Input, at: ControlPlace): Promise<ControlOutcome>;
}

/** What a control step knows of where it stands. */
export interface ControlPlace {
  /** Other steps of the run may be at work meanwhile: a wait of this one parks nothing by itself. */
  readonly beside: boolean;
  /** Every step kind, for those that start other runs. */
  readonly kinds: StepKinds;
}

/** `waitId`: the run waits for this wait to be settled, then the step is asked again. */
export type ControlOutcome = (StepOutcome & { readonly verdict?: Verdict }) | { readonly waitId: string };

// eslint-disable-next-line typescript/no-explicit-any -- a registry holds kinds of every input; each parses its own.
export type StepKind = ReadKind<any> | RecordKind<any> | OutsideKind<any, any> | ControlKind<any>;

export type StepKinds = Readonly<Record<string, StepKind>>;
