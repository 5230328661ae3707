import type { StepKinds } from "../activities/step-kind.ts";
import { compileDefinition, type CompiledDefinition } from "../definition/compile.ts";
import { planNodes, type Plan } from "../definition/plan.ts";
import { createDefinitionSchema, type Definition } from "../definition/schema.ts";
import { triggerKinds } from "../triggers/registry.ts";
import { isUnavailable, sqlState, type Sql } from "../sql.ts";

/** A version that was active once: it never changes again. */
export interface LoadedVersion {
  readonly id: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly definition: Definition;
  /** The plan as it was frozen at activation. */
  readonly plan: Plan;
  readonly compiled: CompiledDefinition;
}

const definitionSchema = createDefinitionSchema(triggerKinds);
const mostKept = 500;
const kept = new Map<string, LoadedVersion>();

/** A version with its plan and its expressions, kept in memory. Throws when there is none with a plan. */
export async function loadVersion(
  sql: Sql,
  versionId: string,
  { kinds }: { kinds: StepKinds },
): Promise<LoadedVersion> {
  const known = kept.get(versionId);
  if (known !== undefined) return known;
  const { rows } = await sql.query<{ workflowId: string; workflowKey: string; document: unknown; plan: Plan | null }>({
    name: "load_version",
    text: `select v.workflow_id as "workflowId", f.key as "workflowKey", v.definition as document, v.plan
      from tandem.workflow_versions v join tandem.workflows f on f.id = v.workflow_id where v.id = $1::uuid`,
    values: [versionId],
  });
  const row = rows[0];
  if (row === undefined || row.plan === null) throw new Error(`There is no activated version ${versionId}.`);
  // Lanes, retries and timeouts are those frozen in the plan; only the expressions are compiled anew.
  const { plan, workflowId, workflowKey } = row;
  const definition = definitionSchema.parse(row.document);
  const frozen = planNodes(plan);
  const fresh = compileDefinition(definition, { kinds, quickLane: true });
  const nodes = fresh.nodes.map((node) => ({ ...node, step: frozen[node.step.node] ?? node.step }));
  const version: LoadedVersion = {
    id: versionId,
    workflowId,
    workflowKey,
    definition,
    plan,
    compiled: { ...fresh, plan, nodes },
  };
  if (kept.size >= mostKept) kept.delete(kept.keys().next().value ?? "");
  kept.set(versionId, version);
  return version;
}

/** What is made of a version; undefined where this code cannot read it, and never will. Throws what the database says. */
export async function unlessUnreadable<T>(load: () => Promise<T>): Promise<T | undefined> {
  try {
    return await load();
  } catch (error) {
    if (isUnavailable(error) || sqlState(error) !== undefined) throw error;
    return undefined;
  }
}
