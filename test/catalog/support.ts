import { createStepKinds } from "../../src/activities/registry.ts";
import type { Catalog } from "../../src/catalog/drafts.ts";
import { readConfig } from "../../src/config.ts";
import type { ProblemError } from "../../src/errors.ts";
import type { JsonObject } from "../../src/json.ts";
import { createMailTransport } from "../../src/mailbox/transport.ts";
import type { SqlPool } from "../../src/sql.ts";
import { triggerKinds } from "../../src/triggers/registry.ts";
import { createTestWorkspace } from "../support/engine.ts";

export const config = readConfig({});
export const kinds = createStepKinds({ mail: createMailTransport(config) });

/** The catalog of a new workspace. */
export async function createCatalog(pool: SqlPool): Promise<Catalog> {
  const { workspace, objects } = await createTestWorkspace(pool);
  return { workspaceId: workspace.id, kinds, triggerKinds, objects, quickLane: true };
}

/** A definition of one webhook and one `set`. */
export function definitionWith(key: string, changes: JsonObject = {}): JsonObject {
  return {
    formatVersion: 1,
    key,
    name: `Flow ${key}`,
    triggers: [{ id: "form", kind: "webhook" }],
    steps: [{ id: "answer", kind: "set", input: { x: 1 } }],
    ...changes,
  };
}

/** `status code` of the problem that the work is refused with. */
export async function refusal(work: Promise<unknown>): Promise<string> {
  const problem = await refused(work);
  return `${problem.status} ${problem.code}`;
}

export async function refused(work: Promise<unknown>): Promise<ProblemError> {
  const outcome = await work.then(
    () => undefined,
    (error: ProblemError) => error,
  );
  if (outcome === undefined) throw new Error("It was not refused.");
  return outcome;
}
