import { planNodes, type IteratorStep, type Plan } from "../definition/plan.ts";
import type { Json } from "../json.ts";
import type { Sql } from "../sql.ts";
import { itemAt, itemStatuses } from "./loops.ts";
import { readSteps, type StepDetail } from "./read.ts";

/** An item of a loop that is over. */
export interface ItemDetail {
  readonly index: number;
  /** Its address in the run: `each[42]`. */
  readonly path: string;
  readonly status: "succeeded" | "failed" | "filtered";
  /** What the loop's `output` gave. */
  readonly output: Json;
  /** Of one that failed: the item itself, and why. */
  readonly item: Json;
  readonly error: Json;
  readonly endedAt: string;
}

/** The plan of a run of the workspace; undefined: it has no such run. */
async function findPlan(sql: Sql, workspaceId: string, runId: string): Promise<Plan | undefined> {
  const { rows } = await sql.query<{ plan: Plan | null }>({
    name: "find_plan_of_run",
    text: `select v.plan from tandem.runs r join tandem.workflow_versions v on v.id = r.version_id
      where r.id = $2::uuid and r.workspace_id = $1::uuid`,
    values: [workspaceId, runId],
  });
  return rows[0]?.plan ?? undefined;
}

/** Items of a loop that are over, by their numbers from `from` on. Undefined: the run has no such loop. */
export async function listItems(
  sql: Sql,
  asked: {
    workspaceId: string;
    runId: string;
    loop: string;
    status?: ItemDetail["status"] | undefined;
    from: number;
    limit: number;
  },
): Promise<ItemDetail[] | undefined> {
  const { workspaceId, runId, loop, status, from, limit } = asked;
  const plan = await findPlan(sql, workspaceId, runId);
  if (plan === undefined || findLoop(plan, loop) === undefined) return undefined;
  const { rows } = await sql.query<Omit<ItemDetail, "status" | "endedAt"> & { status: string; endedAt: Date }>({
    name: "list_loop_items",
    text: `select item as index, path, status, output, input as item, error, ended_at as "endedAt" from tandem.step_results
      where run_id = $1::uuid and item_of = $2::text and item >= $3::integer and ($4::text is null or status = $4::text)
      order by item limit $5::integer`,
    values: [runId, loop, from, status === undefined ? null : itemStatuses[status], limit],
  });
  return rows.map((row) => ({ ...row, status: statusOf(row.status), endedAt: row.endedAt.toISOString() }));
}

/** Steps of an item of a loop; undefined: the run has no such item. */
export async function findItemSteps(
  sql: Sql,
  { workspaceId, runId, item }: { workspaceId: string; runId: string; item: string },
): Promise<StepDetail[] | undefined> {
  const plan = await findPlan(sql, workspaceId, runId);
  const loop = plan && findLoop(plan, itemAt(item).loop);
  return plan && loop && readSteps(sql, runId, { plan, steps: loop.steps, prefix: `${item}.` });
}

/** The loop whose rows lie at this path: `inner` of `each[42].inner`. */
function findLoop(plan: Plan, path: string): IteratorStep | undefined {
  const id = path.slice(path.lastIndexOf(".") + 1);
  return planNodes(plan).find((step): step is IteratorStep => step.control === "iterator" && step.id === id);
}

function statusOf(status: string): ItemDetail["status"] {
  if (status === "failed") return "failed";
  return status === "skipped" ? "filtered" : "succeeded";
}
