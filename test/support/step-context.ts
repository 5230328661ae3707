import type { StepContext } from "../../src/activities/step-kind.ts";

/** What a step's context holds of fences and secrets, where a test is about neither. */
export const plainContext: Pick<StepContext, "fence" | "openSecrets" | "conceal" | "redact"> = {
  fence: 1,
  openSecrets: async () => new Map(),
  conceal: () => {},
  redact: (value) => value,
};
