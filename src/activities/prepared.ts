import type { LoadedVersion } from "../catalog/versions.ts";
import type { CompiledNode } from "../definition/compile/node.ts";
import type { Evaluation, PlacedRead } from "../definition/expressions.ts";
import { openingOf, planNodes, type IteratorStep, type PlanStep } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import type { LoadedRun } from "../runs/attempts.ts";
import type { SqlPool } from "../sql.ts";
import { readItem, type ItemPages } from "../runs/loops.ts";
import type { KnownRow } from "../runs/known-rows.ts";
import { createLookup } from "../runs/lookup.ts";
import { addressed, needsOf, type Needs } from "../runs/needs.ts";
import { pathKey } from "../runs/path-key.ts";
import { addressOf, indexPlan, itemIndex, prefixOf, type PlanIndex } from "../runs/plan-index.ts";
import { getObjects } from "../crm/load-objects.ts";
import type { Environment } from "./environment.ts";
import { readLists, readsOf } from "./read-lists.ts";
import { followingsOf, followRelations, withFollowed, type Following } from "./related.ts";
import type { StepKinds } from "./step-kind.ts";

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
  /** How a node's expressions read what earlier steps gave. */
  reads(node: number): readonly PlacedRead[];
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
  const reads = nodes.map(readsOf);
  const followings = reads.map((read) => followingsOf(read, index, nodes));
  const outputFollowings = followingsOf(output?.references ?? [], index, nodes);
  const needs = nodes.map((node, number) =>
    withFollowed(needsOf(reads[number] ?? [], index, node.step.node), followings[number] ?? []),
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
    reads: (node) => (node === outputNode ? (output?.reads ?? []) : (reads[node] ?? [])),
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
  /** Pages of long lists that may be read, where not as many as there are: beyond, `TooManyPages` is thrown. */
  readonly mostPages?: number;
}

/** Evaluation of a node's expressions over what was loaded, what relations lead to from there, and long lists. */
export async function createEvaluation(
  { pool, kinds }: Environment,
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
  const item = await loadItems(pool, node, { version, known });
  const evaluation: Evaluation = {
    lookup: createLookup({ facts, ...followed, item }, version.index, node),
    timeZone: workspace.timeZone,
    now: new Date(),
  };
  const reader = {
    sql: pool,
    runId: known.run.id,
    byReference: byReference(node === outputNode ? undefined : version.node(node), kinds),
    mostPages: known.mostPages ?? Infinity,
  };
  return readLists(reader, version.reads(node), evaluation);
}

/** Tells the places where a long list is handed on unread: a loop's items, and what the step's kind names. */
function byReference(node: CompiledNode | undefined, kinds: StepKinds): (at: string) => boolean {
  if (node?.step.control === "open") return (at) => at === node.at;
  const keys = node?.step.control === "effect" ? (kinds[node.step.kind]?.byReference ?? []) : [];
  const places = new Set(keys.map((key) => `${node?.at}.input.${key}`));
  return (at) => places.has(at);
}

/** What a lookup reads of the loops around the node: their items' numbers, and the items that it needs. */
async function loadItems(
  sql: SqlPool,
  node: number,
  { version, known }: { version: PreparedVersion; known: KnownAt },
): Promise<(loop: string) => { value: Json; index: number }> {
  const { path, pages, run } = known;
  const around = version.index.loopsOf.get(node) ?? [];
  const indexOf = (loop: string): number => itemIndex(path, around.indexOf(loop));
  const values = new Map<string, Json>();
  for (const loop of version.loops(node)) {
    const open = openingOf(prefixOf(path, around.indexOf(loop)) + loop);
    const place = { runId: run.id, path: open, index: indexOf(loop) };
    values.set(loop, await readItem(sql, place, pages));
  }
  return (loop) => ({ value: values.get(loop) ?? null, index: indexOf(loop) });
}

function union(paths: Needs["trigger"]): Needs["trigger"] {
  return [...new Map(paths.map((path) => [pathKey(path), path])).values()];
}
