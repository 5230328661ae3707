import type { Response } from "express";
import type { FoundWebhook } from "../../catalog/webhooks.ts";
import { ExpressionError } from "../../definition/expressions.ts";
import { ProblemError } from "../../errors.ts";
import type { JsonObject } from "../../json.ts";
import type { Acceptance } from "../../runs/deliveries.ts";
import type { FinishedRun } from "../../runs/finished.ts";
import { createLookup } from "../../runs/lookup.ts";
import { pathKey } from "../../runs/path-key.ts";
import type { Answer, ReadyAnswer } from "../../triggers/webhook/answer.ts";
import { sendProblem } from "../problem.ts";

/**
 * What the sender is answered in the name of a run; as text, why that cannot be said. It depends on the
 * request, so the delivery is accepted all the same, and answered as if nothing were set.
 */
export function evaluateAnswer(
  answer: Answer & { when: "accepted" },
  { webhook, trigger, runId }: { webhook: FoundWebhook; trigger: JsonObject; runId: string },
): ReadyAnswer | string {
  const { settings, workspace } = webhook;
  const { timeZone, currency } = workspace;
  const facts = { settings, run: { id: runId }, workspace: { timeZone, currency } };
  const lookup = createLookup({ facts, trigger: new Map([[pathKey([]), trigger]]), row: () => undefined }, noSteps, 0);
  try {
    return answer.evaluate({ lookup, timeZone, now: new Date() });
  } catch (error) {
    if (error instanceof ExpressionError) return error.message;
    throw error;
  }
}

// Activation refuses an answer that names a step.
const noSteps = { byId: new Map(), handlerOf: new Map(), loopsOf: new Map() };

/** Documents are shown as if they came from nowhere: what a sender said in them must not reach our own pages. */
const guarded = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "sandbox allow-popups allow-top-navigation-by-user-activation",
};

/** Answers as the trigger says. */
export function sendAnswer(response: Response, { status, headers, text }: ReadyAnswer): void {
  response
    .status(status)
    .set({ ...guarded, ...headers })
    .end(text);
}

/** Answers a challenge with the text that it asks for. */
export function sendText(response: Response, text: string): void {
  sendAnswer(response, { status: 200, headers: { "content-type": "text/plain; charset=utf-8" }, text });
}

/** Answers with what a run says or gave, or with what became of it; undefined: it is not over. */
export function sendFinished(response: Response, run: FinishedRun | undefined, accepted: Acceptance): void {
  if (run === undefined) {
    response.status(202).json(accepted);
    return;
  }
  if (run.answer !== null) {
    sendAnswer(response, run.answer);
    return;
  }
  response.set("cache-control", "no-store");
  if (run.status === "completed") {
    response.status(200).json(run.output);
    return;
  }
  const code = typeof run.error?.["code"] === "string" ? run.error["code"] : run.status;
  const problem = new ProblemError(500, "run-not-completed", `Run ${run.id} ended as ${run.status}: ${code}.`);
  // The run is where to look: it stands in place of an entry in the log.
  sendProblem(response, problem, {
    instance: `urn:uuid:${run.id}`,
    runId: run.id,
    runStatus: run.status,
    runCode: code,
  });
}
