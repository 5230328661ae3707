import { randomBytes } from "node:crypto";
import { createSecretMarks, type SecretMarks } from "../definition/expressions.ts";
import type { PlanStep } from "../definition/plan.ts";
import { isJsonObject, type Json } from "../json.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { StepFailure } from "../runs/ledger.ts";
import { listGrants } from "../vault/grants.ts";
import { shownText } from "../vault/stored-form.ts";
import type { Environment } from "./environment.ts";
import type { Performed } from "./perform.ts";
import type { StepKinds } from "./step-kind.ts";
import { createStepSecrets, type StepSecrets } from "./step-secrets.ts";

/** What stands between secrets and all that is kept and said of one attempt. */
export interface Guard {
  readonly secrets: StepSecrets;
  readonly marks: SecretMarks;
  /** Names of the secrets that the workflow may use. */
  readonly granted: readonly string[];
  performed(performed: Performed): Performed;
  failure(failure: StepFailure): StepFailure;
  /** A fault of ours as Temporal and the log may have it. */
  fault(error: unknown): Error;
  json(value: Json): Json;
}

/** Whether values of secrets may come into a step: what it sends or is answered, or what its code makes of that. */
export function needsGuard(step: PlanStep, kinds: StepKinds): boolean {
  return step.control === "effect" && (kinds[step.kind]?.effect === "outside" || step.queue === "code");
}

/** The guard of an attempt. Throws StepError where a secret cannot be opened: then nothing could be taken out. */
export async function createGuard({ pool, vault }: Environment, run: LoadedRun): Promise<Guard> {
  const granted = await listGrants(pool, run.workflowId);
  const secrets = await createStepSecrets({ vault, workspaceId: run.workspace.id }, granted);
  const marks = createSecretMarks(randomBytes(16).toString("hex"));
  const text = (given: string): string => secrets.text(marks.given() ? shownText(given, marks) : given);
  const json = (value: Json): Json => secrets.json(marks.given() ? shown(value, marks) : value);
  return {
    secrets,
    marks,
    granted,
    json,
    performed(performed) {
      const { input, output, outcome, log } = performed;
      return {
        ...performed,
        input: input === null ? null : json(input),
        output: output === null ? null : json(output),
        outcome: outcome === null ? null : text(outcome),
        ...(log === undefined ? {} : { log: text(log) }),
      };
    },
    fault(error) {
      const { message, name, stack } = error instanceof Error ? error : new Error(String(error));
      return Object.assign(new Error(text(message)), { name, ...(stack === undefined ? {} : { stack: text(stack) }) });
    },
    // An object stays one.
    failure: (failure) => json({ ...failure }) as StepFailure,
  };
}

/** A value with `{{ secrets.NAME }}` where marks stand. */
function shown(value: Json, marks: SecretMarks): Json {
  if (typeof value === "string") return shownText(value, marks);
  if (Array.isArray(value)) return value.map((item) => shown(item, marks));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [shownText(key, marks), shown(item, marks)]));
}
