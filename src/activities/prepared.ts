import type { LoadedVersion } from "../catalog/versions.ts";
import type { CompiledNode } from "../definition/compile.ts";
import type { Evaluation } from "../definition/expressions.ts";
import { planNodes, type IteratorStep, type PlanStep } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { SqlPool } from "../sql.ts";
import { readItem, type ItemPages } from "../runs/loops.ts";
import {
  addressed,
  addressOf,
  createLookup,
  indexPlan,
  itemIndex,
  needsOf,
  pathKey,
  prefixOf,
  type KnownRow,
  type Needs,
  type PlanIndex,
} from "../runs/scope.ts";
import { getObjects } from "../crm/load-objects.ts";
import type { Environment } from "./environment.ts";
import { referencesOf } from "./perform.ts";
import { followingsOf, followRelations, withFollowed, type Following } from "./related.ts";

/** A version with everything about its references worked out once. */
export interface PreparedVersion {
  readonly version: LoadedVersion;
  readonly index: PlanIndex;
  node(step: PlanStep | number): CompiledNode;
  /** The loop that this opens. */
  loopOf(step: PlanStep): IteratorStep | undefined;
  /** What a node's expressions need, seen from the path that it is done at. */
  needs(node: number, path: string): Needs;
  /** The loops around a node whose item its expressions read. */
  loops(node: number): readonly string[];
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
  const index = indexPlan(version.plan.steps);
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
    loopOf: (step) =>
      steps.find((loop): loop is IteratorStep => loop.control === "iterator" && loop.open.node === step.node),
    needs: (node, path) => addressed(needs[node] ?? { trigger: [], rows: [], loops: [] }, path, index),
    loops: (node) => needs[node]?.loops ?? [],
    followings: (node) => (node === outputNode ? outputFollowings : (followings[node] ?? [])),
    quickTrigger: union([...quick, outputNeeds].flatMap((need) => need?.trigger ?? [])),
  };
  prepared.set(version, result);
  return result;
}

/** What is known where a node is done. */
export interface KnownAt {
  readonly run: LoadedRun;
  /** The node's ledger path. */
  readonly path: string;
  /** A row by its ledger path. */
  row(path: string): KnownRow | undefined;
  /** Pages of loops' items that were read before. */
  readonly pages?: ItemPages;
}

/** Evaluation of a node's expressions over what was loaded, and what relations lead to from there. */
export async function createEvaluation(
  { pool }: Environment,
  { version, node }: { version: PreparedVersion; node: number },
  known: KnownAt,
): Promise<Evaluation> {
  const { facts, workspace } = known.run;
  const own = {
    trigger: known.run.trigger,
    row: (name: string) => known.row(addressOf(name, known.path, version.index)),
  };
  const followings = version.followings(node);
  const followed =
    followings.length === 0
      ? own
      : await followRelations(pool, { objects: await getObjects(pool, workspace), followings }, own);
  const items = await loadItems(pool, version.loops(node), { version, known });
  return {
    lookup: createLookup({ facts, ...followed, item: (loop) => items.get(loop) ?? noItem }, version.index, node),
    timeZone: workspace.timeZone,
    now: new Date(),
  };
}

const noItem = { value: null, index: 0 };

/** The item of each loop that the node lies in and reads from. */
async function loadItems(
  sql: SqlPool,
  loops: readonly string[],
  { version: { index }, known }: { version: PreparedVersion; known: KnownAt },
): Promise<Map<string, { value: Json; index: number }>> {
  const items = new Map<string, { value: Json; index: number }>();
  for (const loop of loops) {
    const step = index.byId.get(loop);
    const depth = step === undefined ? 0 : (index.loopsOf.get(step.node)?.length ?? 0);
    const place = { runId: String(known.run.facts.run["id"]), path: `${prefixOf(known.path, depth)}${loop}.open` };
    const number = itemIndex(known.path, depth);
    items.set(loop, { value: await readItem(sql, { ...place, index: number }, known.pages), index: number });
  }
  return items;
}

function union(paths: Needs["trigger"]): Needs["trigger"] {
  return [...new Map(paths.map((path) => [pathKey(path), path])).values()];
}
