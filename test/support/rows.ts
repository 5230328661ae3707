import { createId } from "../../src/ids.ts";
import { addRuns, type NewRun } from "../../src/runs/enqueue.ts";
import { createStatement, type Sql } from "../../src/sql.ts";

/** A workspace row without any record schema. */
export async function insertWorkspace(sql: Sql, values: { limit?: number } = {}): Promise<string> {
  const id = createId();
  await sql.query("insert into tandem.workspaces (id, name, schema_name, run_limit) values ($1, 'Test', $2, $3)", [
    id,
    `ws_${id.replaceAll("-", "")}`,
    values.limit ?? 100,
  ]);
  return id;
}

/** A workflow with one active version of no steps. */
export async function insertWorkflow(
  sql: Sql,
  workspaceId: string,
  key: string,
): Promise<{ workflowId: string; versionId: string }> {
  const [workflowId, versionId] = [createId(), createId()];
  await sql.query(
    "insert into tandem.workflows (id, workspace_id, key, name, status) values ($1, $2, $3, $3, 'active')",
    [workflowId, workspaceId, key],
  );
  await sql.query(
    `insert into tandem.workflow_versions (id, workflow_id, number, status, definition, plan)
     values ($1, $2, 1, 'active', '{}', '{"format":1,"steps":[],"blockMs":2000}')`,
    [versionId, workflowId],
  );
  return { workflowId, versionId };
}

/** Enqueues a run as everything does. */
export async function enqueue(
  sql: Sql,
  run: Pick<NewRun, "workspaceId" | "workflowId" | "versionId"> & Partial<NewRun>,
): Promise<string> {
  const id = run.id ?? createId();
  const statement = createStatement();
  addRuns(statement, [{ trigger: { id: "form", kind: "webhook" }, settings: {}, ...run, id }]);
  await sql.query(statement.query("select id from run"));
  return id;
}
