import { z } from "zod";
import { controlPolicy } from "../../definition/compile/policies.ts";
import { keySchema } from "../../definition/schema.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { at, StepError } from "../../errors.ts";
import { textOf, type JsonObject } from "../../json.ts";
import { callWorkflow } from "../../runs/calls/call.ts";
import { findCalled, type CalledRun } from "../../runs/calls/find.ts";
import { waitIdOf } from "../../runs/waits/open.ts";
import type { ControlKind, StepOutcome } from "../step-kind.ts";

const input = z.strictObject({
  workflow: keySchema,
  inputs: (z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>).default({}),
  wait: z.boolean().default(true),
});

/** One run is called for the step, however often it is tried: it is found again by the step's run and path. */
export const runWorkflow: ControlKind<z.output<typeof input>> = {
  kind: "run-workflow",
  effect: "control",
  version: 1,
  title: "Run a workflow",
  description: "Calls another workflow by its manual trigger, and waits for what it gives, or only starts it.",
  queue: "runs",
  ...controlPolicy,
  input,
  output: z.object({ runId: z.uuid(), status: z.string(), output: z.unknown() }),
  fixed: ["workflow", "wait"],
  sample: {
    input: { workflow: "credit-check", inputs: { company: "Analytical Engines" } },
    output: { runId: "0192f0c4-7a10-7cc3-9e55-000000000001", status: "completed", output: { score: 7 } },
  },
  check: ({ workflow }, { workflows, at: place }) => {
    const key = textOf(workflow);
    if (key === undefined || workflows === undefined || workflows.has(key)) return [];
    return [{ path: at(place, "workflow"), message: `unknown workflow "${key}"${didYouMean(key, workflows)}` }];
  },
  async run({ sql, workspace, run, fence, path }, given, { beside, kinds }) {
    const { workflow, inputs, wait: waits } = given;
    const call = { workspaceId: workspace.id, caller: run, fence, path, beside, workflow, inputs, waits };
    const called = (await findCalled(sql, run.id, path)) ?? (await callWorkflow(sql, { kinds }, call));
    if (!waits) return outcomeOf(called);
    if (!called.over) return { waitId: waitIdOf(path, "call") };
    if (called.status !== "completed") throw failed(workflow, called);
    return outcomeOf(called);
  },
};

function outcomeOf({ id, status, over, output }: CalledRun): StepOutcome {
  return { output: { runId: id, status, output: over ? output : null }, outcome: status };
}

function failed(workflow: string, { id, status, error }: CalledRun): StepError {
  const code = textOf(error?.["code"]) ?? status;
  const why = textOf(error?.["message"]) ?? "it says no reason.";
  return new StepError("workflow-failed", `"${workflow}" ended as ${status} (${code}): ${why} Its run is ${id}.`, {
    details: { runId: id, status, workflowCode: code },
  });
}
