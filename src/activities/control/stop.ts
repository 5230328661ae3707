import { z } from "zod";
import { controlPolicy } from "../../definition/compile/policies.ts";
import type { ControlKind } from "../step-kind.ts";

const input = z.strictObject({
  as: z.enum(["completed", "failed"]),
  message: z.string().max(2_000).optional(),
});

/** Ends the run, wherever it stands: in a branch, in a loop, in what handles an error. */
export const stop: ControlKind<z.output<typeof input>> = {
  kind: "stop",
  effect: "control",
  version: 1,
  title: "Stop",
  description: "Ends the run, as completed or as failed, from inside any block.",
  queue: "runs",
  ...controlPolicy,
  input,
  output: z.object({ as: z.enum(["completed", "failed"]), message: z.string().nullable() }),
  fixed: ["as"],
  quick: () => true,
  sample: {
    input: { as: "failed", message: "The order has no lines." },
    output: { as: "failed", message: "The order has no lines." },
  },
  run: (_context, { as, message }) =>
    Promise.resolve({ output: { as, message: message ?? null }, outcome: as, verdict: { kind: "stop", as } }),
};
