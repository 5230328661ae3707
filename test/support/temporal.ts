import { randomBytes } from "node:crypto";
import { inject } from "vitest";

/** The run's Temporal server, with a name for queues and ids that no other test uses. */
export interface TestTemporal {
  readonly address: string;
  readonly namespace: string;
  /** Address of its Web UI. */
  readonly ui: string;
  /** The binary of the command line. */
  readonly cli: string;
  /** Eight of [a-z0-9]: an installation id of this test's own. */
  readonly installation: string;
}

/** Where the run's Temporal server is. Throws with the reason when there is none. */
export function testTemporal(): TestTemporal {
  const failure = inject("temporalFailure");
  if (failure !== "") throw new Error(`This test needs Temporal, which could not be started: ${failure}`);
  return {
    address: inject("temporalAddress"),
    namespace: "default",
    ui: inject("temporalUi"),
    cli: inject("temporalCli"),
    installation: randomBytes(4).toString("hex"),
  };
}
