import type { SecretMarks } from "../definition/expressions.ts";
import { StepError } from "../errors.ts";
import type { Json, JsonObject } from "../json.ts";
import type { RunKey } from "../runs/ledger.ts";
import {
  findCall,
  markAnswered,
  markSending,
  saveProgress,
  storeCall,
  type CallTry,
  type OutsideCall,
} from "../runs/outside-calls.ts";
import type { SqlPool } from "../sql.ts";
import { holdsMark, openForm, secretsIn, storedForm } from "../vault/stored-form.ts";
import type { OutsideKind, StepContext, StepOutcome } from "./step-kind.ts";
import type { StepSecrets } from "./step-secrets.ts";

/** A step's call to the outside, as one attempt does it. */
export interface OutsideStep {
  readonly kind: OutsideKind<unknown, Json>;
  /** Its input as the kind read it, with marks in the place of secrets. */
  readonly parsed: unknown;
  readonly context: StepContext;
  readonly key: RunKey;
  readonly tried: CallTry;
  /** The Idempotency-Key. */
  readonly callKey: string;
  readonly marks: SecretMarks;
  readonly secrets: StepSecrets;
  /** Names of the secrets that the workflow may use. */
  readonly granted: readonly string[];
  readonly doubt: Doubt;
}

/** Whether the target may have acted without an answer of it being known. */
export interface Doubt {
  /** Bytes left, in this try or an earlier one, and no answer came. */
  open: boolean;
  /** The call may not be sent again to find out. */
  lasting: boolean;
}

/**
 * Stores what will be sent, marks the sending, sends, and records that the target answered (DURABILITY.md
 * §4). What an earlier try left unanswered is sent again where that is safe, and else ends as
 * `outcome-unknown`. Secrets are put in just before the call, and are in nothing that is stored.
 */
export async function performOutside(pool: SqlPool, step: OutsideStep): Promise<StepOutcome> {
  const { kind, context, key, tried, doubt, secrets } = step;
  const found = await prepareCall(pool, step);
  if ("output" in found) return found;
  const { call } = found;
  doubt.open = call.unsure;
  doubt.lasting = !call.repeatable;
  if (call.unsure && doubt.lasting) throw outcomeUnknown();
  const request = openForm(call.request, await openGranted(step, secretsIn(call.request)));
  const progress = openForm(call.progress, await secrets.open(secretsIn(call.progress))) as JsonObject;
  let sent: Promise<void> | undefined;
  const mark = async (): Promise<void> => {
    if ((await markSending(pool, key, tried)) === "in-doubt") throw outcomeUnknown();
    doubt.open = true;
  };
  const sending = (): Promise<void> => (sent ??= mark());
  if (kind.saysWhenSending !== true) await sending();
  const save = async (saved: JsonObject): Promise<void> => {
    const stored = secrets.json(storedForm(saved, { values: secrets.known() }));
    await saveProgress(pool, key, tried, stored as JsonObject);
  };
  try {
    const outcome = await kind.perform(
      { ...context, key: call.key, attempt: tried.attempt, unsure: call.unsure, progress, save, sending },
      request,
    );
    doubt.open = false;
    return outcome;
  } catch (error) {
    if (sent !== undefined && isAnswer(error, context)) {
      doubt.open = false;
      await markAnswered(pool, key, tried);
    }
    throw error;
  }
}

/**
 * Whether the target refused, so that nothing is in doubt. Anything else leaves the mark, also what a kind
 * says of a call that was broken off because its time was up.
 */
function isAnswer(error: unknown, { signal }: StepContext): boolean {
  return error instanceof StepError && error.details["unsure"] !== true && !signal.aborted;
}

/** The call as it is stored, made now where there is none; or what comes of a step with nothing to send. */
async function prepareCall(pool: SqlPool, step: OutsideStep): Promise<{ call: OutsideCall } | StepOutcome> {
  const { kind, context, key, marks } = step;
  const stored = await findCall(pool, context.run.id, context.path);
  if (stored !== undefined) return { call: stored };
  const made = await kind.prepare(context, step.parsed, step.callKey);
  if (!("request" in made)) return made;
  const request = storedForm(made.request, { marks, values: step.secrets.known() });
  if (holdsMark(request, marks))
    throw new StepError(
      "invalid-input",
      `A secret stands where it cannot be put in: in a place that is changed before it is sent, such as a host or an address. Let {{ secrets.… }} stand in a header, a query, a path or a body.`,
    );
  const call = { key: step.callKey, request, repeatable: kind.repeatable?.(made.request) ?? false };
  return { call: await storeCall(pool, key, { path: context.path, ...call }) };
}

async function openGranted(
  { secrets, granted, context }: OutsideStep,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const refused = names.filter((name) => !granted.includes(name));
  if (refused.length === 0) return secrets.open(names);
  throw new StepError(
    "secret-not-granted",
    `The workflow ${context.run.workflowKey} may not use ${refused.join(", ")}: its active version does not name it. Activate a version that does, and run it again.`,
  );
}

function outcomeUnknown(): StepError {
  return new StepError(
    "outcome-unknown",
    "An earlier attempt began to send and was not answered, so the target may have acted. It is not sent again. Look at the target, then say what became of it: GET /api/outcomes-unknown lists it.",
  );
}
