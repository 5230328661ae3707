import type { LoadedVersion } from "../catalog/versions.ts";
import type { CompiledNode } from "../definition/compile.ts";
import type { Evaluation } from "../definition/expressions.ts";
import { planNodes, type PlanStep } from "../definition/plan.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import { createLookup, indexPlan, needsOf, pathKey, type KnownRow, type Needs, type PlanIndex } from "../runs/scope.ts";
import { getObjects } from "../crm/load-objects.ts";
import type { Environment } from "./environment.ts";
import { referencesOf } from "./perform.ts";
import { followingsOf, followRelations, withFollowed, type Following } from "./related.ts";

/** A version with everything about its references worked out once. */
export interface PreparedVersion {
  readonly version: LoadedVersion;
  readonly index: PlanIndex;
  node(step: PlanStep | number): CompiledNode;
  /** What a node's expressions need. */
  needs(node: number): Needs;
  /** The relations that a node's expressions may follow. */
  followings(node: number): readonly Following[];
  /** What the run's `output` needs. */
  readonly outputNeeds: Needs;
  /** Paths below `trigger` that any quick step, or the output, may read. */
  readonly quickTrigger: Needs["trigger"];
}

/** Stands for the run's `output` where a node's number is asked for. */
export const outputNode = -1;

const prepared = new WeakMap<LoadedVersion, PreparedVersion>();

export function prepareVersion(version: LoadedVersion): PreparedVersion {
  const known = prepared.get(version);
  if (known !== undefined) return known;
  const steps = planNodes(version.plan);
  const index = indexPlan(steps);
  const { nodes, output } = version.compiled;
  const followings = nodes.map((node) => followingsOf(referencesOf(node), index, nodes));
  const outputFollowings = followingsOf(output?.references ?? [], index, nodes);
  const needs = nodes.map((node, number) =>
    withFollowed(needsOf(referencesOf(node), index, node.step.node), followings[number] ?? []),
  );
  const outputNeeds = withFollowed(needsOf(output?.references ?? [], index, outputNode), outputFollowings);
  const quick = steps.filter((step) => step.quick).map((step) => needs[step.node]);
  const result: PreparedVersion = {
    version,
    index,
    outputNeeds,
    node(step) {
      const number = typeof step === "number" ? step : step.node;
      const node = nodes[number];
      if (node === undefined)
        throw new Error(`Version ${version.id} has no node ${number}: its plan and its definition do not match.`);
      return node;
    },
    needs(node) {
      return needs[node] ?? { trigger: [], rows: [] };
    },
    followings: (node) => (node === outputNode ? outputFollowings : (followings[node] ?? [])),
    quickTrigger: union([...quick, outputNeeds].flatMap((need) => need?.trigger ?? [])),
  };
  prepared.set(version, result);
  return result;
}

/** Evaluation of a node's expressions over what was loaded, and what relations lead to from there. */
export async function createEvaluation(
  { pool }: Environment,
  { version, node }: { version: PreparedVersion; node: number },
  known: { run: LoadedRun; row(path: string): KnownRow | undefined },
): Promise<Evaluation> {
  const { facts, workspace } = known.run;
  const own = { trigger: known.run.trigger, row: known.row };
  const followings = version.followings(node);
  const followed =
    followings.length === 0
      ? own
      : await followRelations(pool, { objects: await getObjects(pool, workspace), followings }, own);
  return {
    lookup: createLookup({ facts, ...followed }, version.index, node),
    timeZone: workspace.timeZone,
    now: new Date(),
  };
}

function union(paths: Needs["trigger"]): Needs["trigger"] {
  return [...new Map(paths.map((path) => [pathKey(path), path])).values()];
}
