import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { LaunchStatus } from "./accept.ts";

/** A launch and how far it has come. Times are ISO 8601. */
export interface Launch {
  readonly id: string;
  readonly launchId: string;
  readonly workflowId: string;
  readonly triggerId: string | null;
  readonly status: LaunchStatus;
  readonly launchedBy: JsonObject;
  readonly object: string | null;
  /** `{ view }`, `{ filter }` or `{ ids: true }`; null where it concerns no record. */
  readonly selection: JsonObject | null;
  readonly inputs: JsonObject | null;
  /** Records that were selected; null where it concerns none. */
  readonly selected: number | null;
  readonly selectedIsEstimate: boolean;
  /** Records that were found and taken so far. */
  readonly taken: number;
  /** Runs that were made so far. */
  readonly started: number;
  readonly missing: { readonly count: number; readonly ids: readonly string[] };
  readonly runId: string | null;
  readonly error: Json;
  readonly createdAt: string;
  readonly endedAt: string | null;
}

/** A launch with how many of its runs have each status. */
export interface LaunchDetail extends Launch {
  readonly runs: { readonly [status: string]: number };
}

type Row = Omit<Launch, "createdAt" | "endedAt"> & { readonly createdAt: Date; readonly endedAt: Date | null };

const columns = `l.id, l.launch_id as "launchId", l.workflow_id as "workflowId", l.trigger_id as "triggerId", l.status,
  l.launched_by - 'launch' as "launchedBy", l.object, l.selection, l.inputs, l.selected, l.is_estimate as "selectedIsEstimate",
  l.read_count as taken, l.started_count as started,
  jsonb_build_object('count', l.missing_count, 'ids', to_jsonb(l.missing_ids)) as missing,
  l.run_id as "runId", l.error, l.created_at as "createdAt", l.ended_at as "endedAt"`;

/** A launch of a workspace; undefined: it has none of this id. */
export async function findLaunch(
  sql: Sql,
  { workspaceId, id }: { workspaceId: string; id: string },
): Promise<LaunchDetail | undefined> {
  const { rows } = await sql.query<Row & Pick<LaunchDetail, "runs">>({
    name: "find_launch",
    text: `select ${columns}, coalesce((select jsonb_object_agg(s.status, s.count) from (
        select r.status, count(*) as count from tandem.runs r
        where r.launched_by ->> 'launch' = l.id::text and r.launched_by is not null group by r.status) s), '{}'::jsonb) as runs
      from tandem.launches l where l.id = $1::uuid and l.workspace_id = $2::uuid`,
    values: [id, workspaceId],
  });
  const [row] = rows;
  return row === undefined ? undefined : { ...launchOf(row), runs: row.runs };
}

/** Launches of a workflow, newest first. */
export async function listLaunches(
  sql: Sql,
  {
    workspaceId,
    workflowId,
    before,
    limit,
  }: { workspaceId: string; workflowId: string; before: string | undefined; limit: number },
): Promise<Launch[]> {
  const { rows } = await sql.query<Row>({
    name: "list_launches",
    text: `select ${columns} from tandem.launches l
      where l.workflow_id = $1::uuid and l.workspace_id = $2::uuid and ($3::uuid is null or l.id < $3) order by l.id desc limit $4::integer`,
    values: [workflowId, workspaceId, before ?? null, limit],
  });
  return rows.map(launchOf);
}

function launchOf(row: Row): Launch {
  return { ...row, createdAt: row.createdAt.toISOString(), endedAt: row.endedAt?.toISOString() ?? null };
}
