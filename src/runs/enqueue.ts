import type { JsonObject } from "../json.ts";
import type { Statement } from "../sql.ts";

/** A run to be: everything that starts a run describes it so. */
export interface NewRun {
  readonly id: string;
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly versionId: string;
  /** `{ id, kind, … }` and what the trigger gives; expressions read it as `trigger`. */
  readonly trigger: JsonObject;
  /** Values of the workflow's settings, kept as they are now. */
  readonly settings: JsonObject;
  /** Runs that share it go `limit` at a time. The scope says which workflows share it. */
  readonly concurrency?: { readonly key: string; readonly limit: number; readonly scope: "workflow" | "workspace" };
  /** The run whose write or launch led to this one. */
  readonly origin?: { readonly runId: string; readonly workflowId: string; readonly depth: number };
  /** `manual` goes before the others of its workflow. */
  readonly priority?: "manual" | "normal";
  /** Accepted, but it can never start: stored as failed with this reason. */
  readonly failure?: { readonly code: string; readonly message: string };
}

/** Order within a workflow: lower goes first. Resumed runs go before all of them. */
const priorities = { manual: 1, normal: 2 } as const;

/**
 * Adds the CTE `run`, which inserts a queued run: the one way in. It commits with whatever the
 * statement records beside it (a delivery, an event's history), and the caller answers after that
 * commit, never before (DURABILITY.md §1).
 */
export function addRun(statement: Statement, run: NewRun): void {
  const p = statement.param;
  const failed = run.failure !== undefined;
  statement.with(
    "run",
    `insert into tandem.runs (id, workspace_id, workflow_id, version_id, status, trigger, settings, origin, depth,
       priority, concurrency_key, concurrency_limit, ready, error, ended_at)
     select ${p(run.id, "uuid")}, ${p(run.workspaceId, "uuid")}, ${p(run.workflowId, "uuid")}, ${p(run.versionId, "uuid")},
       ${p(failed ? "failed" : "queued", "text")}, ${p(run.trigger, "jsonb")}, ${p(run.settings, "jsonb")},
       ${p(run.origin ?? null, "jsonb")}, ${p(run.origin === undefined ? 0 : run.origin.depth + 1, "smallint")},
       ${p(priorities[run.priority ?? "normal"], "smallint")}, ${p(concurrencyKey(run), "text")},
       ${p(run.concurrency?.limit ?? null, "integer")}, ${p(run.concurrency === undefined ? true : null, "boolean")},
       ${p(run.failure ?? null, "jsonb")}, ${p(failed ? new Date() : null, "timestamptz")}
     returning id`,
  );
}

/** The key as stored: two workflows share it only where the definition says so. */
function concurrencyKey(run: NewRun): string | null {
  if (run.concurrency === undefined) return null;
  const { key, scope } = run.concurrency;
  return scope === "workspace" ? `workspace:${key}` : `${run.workflowId}:${key}`;
}
