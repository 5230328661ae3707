import { createHash } from "node:crypto";
import type { Json } from "../../json.ts";
import { createId } from "../../ids.ts";
import type { Sql } from "../../sql.ts";
import { unendedStatuses, type RunKey } from "../ledger.ts";

/** What is done once: a step of a workflow under a value. */
export interface OnceKey {
  readonly workspaceId: string;
  readonly workflowId: string;
  readonly stepId: string;
  readonly value: string;
}

/** How long a value may be, in characters. */
export const longestValue = 500;

/** What a step's earlier deed gave. */
export interface OnceDone {
  readonly outcome: string | null;
  readonly output: Json;
  readonly lists: Readonly<Record<string, number>> | null;
  readonly runId: string | null;
  readonly path: string | null;
}

/** How a value stands towards a step of a run, which has locked its row. */
export type OnceStanding =
  /** Nobody's: the step may act. */
  | { readonly kind: "free"; readonly id: string; readonly key: string }
  /** The step's own, from an earlier try. */
  | { readonly kind: "own"; readonly id: string; readonly key: string }
  /** Another open run's. */
  | { readonly kind: "busy"; readonly id: string; readonly runId: string }
  /** The target may have acted for a run that is over, or whose step went on without knowing. */
  | {
      readonly kind: "unsure";
      readonly id: string;
      readonly key: string;
      readonly runId: string;
      readonly path: string;
    }
  | { readonly kind: "done"; readonly id: string; readonly done: OnceDone };

interface Row extends OnceDone {
  readonly id: string;
  readonly seed: string;
  readonly generation: number;
  readonly state: "free" | "held" | "unsure" | "done";
  /** The holder's run is open. */
  readonly open: boolean;
  /** The holder began to send, or nothing is known of it any more. */
  readonly doubtful: boolean;
}

/** The Idempotency-Key of what is done under a value: another one when it is certain that nothing was done. */
function keyOf({ seed, generation }: Pick<Row, "seed" | "generation">): string {
  return createHash("sha256").update(`${seed}\u0000${generation}`).digest("hex").slice(0, 52);
}

/**
 * Of the row, too: one that is made anew, since the one before was forgotten or went with its step to another
 * id, is another deed, which a target that knows the key of before would not do.
 */
function seedOf(id: string, { workflowId, stepId, value }: OnceKey): string {
  return createHash("sha256").update(`once\u0000${workflowId}\u0000${stepId}\u0000${value}\u0000${id}`).digest("hex");
}

/**
 * SQL over tandem.once_values `o`: whether its holder is open, and whether it may have acted. A holder that
 * nothing is known of may have.
 */
export const holderColumns = `exists (select 1 from tandem.runs r where r.id = o.run_id
    and r.status in ${unendedStatuses}) as open,
  not exists (select 1 from tandem.runs r where r.id = o.run_id) or exists (
    select 1 from tandem.outside_calls c where c.run_id = o.run_id and c.path = o.path and c.sending_since is not null) as doubtful`;

/**
 * Locks a value's row, which is made where there is none, and says how it stands towards a step of a run. In
 * a transaction: until it ends nobody else's step begins under the value.
 */
export async function lockOnce(sql: Sql, asked: OnceKey, step: { runId: string; path: string }): Promise<OnceStanding> {
  // No version is activated meanwhile: that may move the values of steps.
  await sql.query({
    name: "hold_workflow",
    text: "select 1 from tandem.workflows where id = $1::uuid for share",
    values: [asked.workflowId],
  });
  const once = { ...asked, stepId: await findStepId(sql, asked) };
  const id = createId();
  await sql.query({
    name: "make_once",
    text: `insert into tandem.once_values (id, workspace_id, workflow_id, step_id, value, seed)
      values ($1::uuid, $2::uuid, $3::uuid, $4::text, $5::text, $6::text) on conflict (workflow_id, step_id, value) do nothing`,
    values: [id, once.workspaceId, once.workflowId, once.stepId, once.value, seedOf(id, once)],
  });
  await sql.query({
    name: "lock_once",
    text: `select 1 from tandem.once_values where workflow_id = $1::uuid and step_id = $2::text and value = $3::text for update`,
    values: [once.workflowId, once.stepId, once.value],
  });
  // A statement of its own: it sees what the one who had the lock before has committed.
  return findStanding(sql, once, step);
}

/** The id that the step has now. */
async function findStepId(sql: Sql, { workflowId, stepId }: OnceKey): Promise<string> {
  const { rows } = await sql.query<{ stepId: string }>({
    name: "find_moved_step",
    text: `select moved_to as "stepId" from tandem.once_moves where workflow_id = $1::uuid and step_id = $2::text`,
    values: [workflowId, stepId],
  });
  return rows[0]?.stepId ?? stepId;
}

/**
 * How a value stands towards a step of a run, at this moment. A step of an older version finds it where it
 * was moved to.
 */
export async function findStanding(
  sql: Sql,
  once: OnceKey,
  step: { runId: string; path: string },
): Promise<OnceStanding> {
  const { rows } = await sql.query<Row>({
    name: "read_once",
    text: `select o.id, o.seed, o.generation, o.state, o.run_id as "runId", o.path, o.outcome, o.output, o.lists, ${holderColumns}
      from tandem.once_values o where o.workflow_id = $1::uuid and o.value = $3::text and o.step_id = coalesce(
        (select m.moved_to from tandem.once_moves m where m.workflow_id = $1::uuid and m.step_id = $2::text), $2::text)`,
    values: [once.workflowId, once.stepId, once.value],
  });
  const row = rows[0];
  if (row === undefined) return { kind: "free", id: "", key: "" };
  return standingOf(row, step);
}

function standingOf(row: Row, step: { runId: string; path: string }): OnceStanding {
  const { id, outcome, output, lists, runId, path } = row;
  switch (row.state) {
    case "free":
      return { kind: "free", id, key: keyOf(row) };
    case "done":
      return { kind: "done", id, done: { outcome, output, lists, runId, path } };
    case "held":
      if (runId === step.runId && path === step.path) return { kind: "own", id, key: keyOf(row) };
      if (row.open) return { kind: "busy", id, runId: runId ?? "" };
      // It ended without having sent anything: what it might still be answered counts for nobody.
      if (!row.doubtful) return { kind: "free", id, key: keyOf({ ...row, generation: row.generation + 1 }) };
      return { kind: "unsure", id, key: keyOf(row), runId: runId ?? "", path: path ?? "" };
    case "unsure":
      return { kind: "unsure", id, key: keyOf(row), runId: runId ?? "", path: path ?? "" };
  }
}

/** Gives a locked value that is nobody's, or whose holder's request is sent again, to a step. */
export async function holdOnce(
  sql: Sql,
  { id, kind }: Extract<OnceStanding, { kind: "free" | "unsure" }>,
  step: { key: RunKey; path: string },
): Promise<void> {
  await sql.query({
    name: "hold_once",
    text: `update tandem.once_values set generation = case when $4::boolean and state = 'held' then generation + 1 else generation end,
        state = 'held', run_id = $2::uuid, path = $3::text, changed_at = now() where id = $1::uuid`,
    values: [id, step.key.runId, step.path, kind === "free"],
  });
}
