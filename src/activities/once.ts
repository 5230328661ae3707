import type { CompiledNode } from "../definition/compile/node.ts";
import type { Evaluation } from "../definition/expressions.ts";
import type { PlanStep } from "../definition/plan.ts";
import { StepError } from "../errors.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { RunKey } from "../runs/ledger.ts";
import {
  findStanding,
  lockOnce,
  longestValue,
  type OnceDone,
  type OnceKey,
  type OnceStanding,
} from "../runs/once/once-values.ts";
import { addListsOf, addOnceEnd, keepDone, wakeOnce, type OnceEnd } from "../runs/once/settle.ts";
import { takeOnce } from "../runs/once/take.ts";
import type { Seal } from "../runs/seal.ts";
import { inTransaction, stepLockMs, type Sql, type SqlPool, type Statement } from "../sql.ts";
import type { Performed, Waiting } from "./perform.ts";
import type { StepKind } from "./step-kind.ts";

/** The value under which a node is done once; undefined: it is done each time. Throws StepError. */
export function onceValueOf({ once, at }: CompiledNode, evaluation: Evaluation): string | undefined {
  if (once === undefined) return undefined;
  const value = once.evaluate(evaluation);
  const text = typeof value === "number" || typeof value === "boolean" ? String(value) : value;
  if (typeof text === "string" && text.trim() !== "" && text.length <= longestValue && !text.includes("\u0000"))
    return text;
  throw new StepError(
    "invalid-input",
    `${at}.once: gives ${typeof text === "string" ? `text of ${text.length} characters` : "no text"}; it takes 1 to ${longestValue}, such as "invoice:{{ trigger.record.id }}".`,
  );
}

/** A step that changes records may not act under its value: somebody did, or may have. */
export class OnceTakenError extends Error {
  override readonly name = "OnceTakenError";
}

/** The value under which a step is done once, as one attempt at it knows it; of most steps there is none. */
export interface OnceStep {
  /**
   * Asks for the value before the step acts. What it gives is the step's outcome: another's deed, or that the
   * run waits. Undefined: the step may act. Throws StepError where it is not known whether that was done.
   */
  take(value: string, kind: StepKind): Promise<Performed | Waiting | undefined>;
  /** Under which its change of records is made; undefined: it is made each time. */
  key(): OnceKey | undefined;
  /** The Idempotency-Key of its call. */
  callKey(): string | undefined;
  /** Adds to the statement that seals the step what becomes of the value. */
  end(statement: Statement, end: OnceEnd): void;
  /** Lets those look again who wait for the value. */
  wake(): Promise<void>;
}

/** What a try of a step needs to know to be done once. */
interface Trying {
  readonly run: LoadedRun;
  readonly key: RunKey;
  readonly path: string;
  readonly step: PlanStep;
}

export function createOnceStep(pool: SqlPool, { run, key, path, step }: Trying): OnceStep {
  let asked: OnceKey | undefined;
  let held: { id: string; key: string } | undefined;
  let earlier: (OnceDone & { readonly id: string }) | undefined;

  async function take(value: string, kind: StepKind): Promise<Performed | Waiting | undefined> {
    asked = { workspaceId: run.workspace.id, workflowId: run.workflowId, stepId: step.id, value };
    // A change of records takes the value with the change, if that is one transaction (`createOnceSeal`).
    const takesLater = kind.effect === "record" && kind.inParts !== true;
    if (takesLater && mayAct(await findStanding(pool, asked, { runId: key.runId, path }))) return undefined;
    const taker = { key, path, beside: step.beside === true, resends: kind.effect === "outside" };
    const taken = await takeOnce(pool, asked, taker);
    switch (taken.kind) {
      case "held":
        held = taken;
        return undefined;
      case "waiting":
        return taken;
      case "unsure":
        throw onceInDoubt(value, taken);
      case "done":
        earlier = { ...taken.done, id: taken.id };
        return alreadyDone(taken.done);
    }
  }

  return {
    take,
    key: () => asked,
    callKey: () => held?.key,
    end(statement, end) {
      if (held !== undefined) addOnceEnd(statement, held.id, end);
      if (earlier !== undefined) addListsOf(statement, earlier, path);
    },
    // They look by themselves as well, later.
    wake: async () => held && wakeOnce(pool, held.id).catch(() => {}),
  };
}

function alreadyDone({ outcome, output, lists }: OnceDone): Performed {
  return {
    sealed: false,
    status: "already-done",
    outcome,
    verdict: { kind: "done" },
    input: null,
    output,
    ...(lists === null ? {} : { lists }),
  };
}

/**
 * A seal under which a change of records is made once: the value's row is locked before the change, and keeps
 * what it gave, in one transaction. So the value is never held without the change being made.
 */
export function createOnceSeal(
  seal: Seal,
  { pool, once, step }: { pool: SqlPool; once: OnceKey | undefined; step: { runId: string; path: string } },
): Seal {
  if (once === undefined) return seal;
  return {
    begin: () => seal.begin({ locked: true }),
    async commit(sql, statement, result) {
      const work = async (client: Sql) => {
        const standing = await lockOnce(client, once, step);
        if (!mayAct(standing)) throw new OnceTakenError(`${once.stepId}: ${once.value} is taken.`);
        const sealed = await seal.commit(client, statement, result);
        if (sealed !== undefined) await keepDone(client, standing.id, { ...step, ...sealed });
        return sealed;
      };
      return sql === pool ? inTransaction(pool, work, { lockMs: stepLockMs }) : work(sql);
    },
  };
}

function mayAct({ kind }: OnceStanding): boolean {
  return kind === "free" || kind === "own";
}

/** Nothing acts under a value that is in doubt. */
function onceInDoubt(value: string, { id, runId }: { id: string; runId: string }): StepError {
  return new StepError(
    "outcome-unknown",
    `Whether this was done under "${value}" is not known: run ${runId} began to send and was not answered. Look at the target, then say what became of it: PUT /api/once/${id}.`,
    { details: { runId } },
  );
}
