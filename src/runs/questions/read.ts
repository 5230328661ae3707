import type { Json, JsonObject } from "../../json.ts";
import { statementName, type Sql } from "../../sql.ts";
import { openStatuses } from "../ledger.ts";
import { isoOf, type Times } from "../run-list.ts";

/** A question that a run asks people. Times are ISO 8601. */
export interface Question {
  readonly id: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly workflowKey: string;
  readonly workflowName: string;
  /** The step that asks. */
  readonly path: string;
  /** `closed`: its run was over before anybody answered. */
  readonly state: "open" | "answered" | "timed-out" | "closed";
  readonly title: string;
  readonly details: string | null;
  readonly assignees: readonly string[];
  readonly form: Json;
  readonly deadline: string | null;
  readonly createdAt: string;
  readonly answer: Json;
  readonly answeredBy: JsonObject | null;
  readonly answeredAt: string | null;
}

type Row = Times<Question, "deadline" | "createdAt" | "answeredAt">;

/** SQL: whether a question may be answered, by the aliases of it and of its run: both are open, and its deadline is ahead. */
export function answerableSql(question: string, run: string): string {
  return `${question}.state = 'open' and (${question}.deadline is null or ${question}.deadline > now())
    and ${run}.status in ${openStatuses} and ${run}.cancel_requested_at is null`;
}

/** SQL: a question's columns of tandem.questions `q`, tandem.runs `r` and tandem.workflows `f`. */
const columns = `q.id, q.run_id as "runId", r.workflow_id as "workflowId", f.key as "workflowKey", f.name as "workflowName", q.path,
  case when q.state <> 'open' then q.state when r.status not in ${openStatuses} or r.cancel_requested_at is not null then 'closed'
    when q.deadline <= now() then 'timed-out' else 'open' end as state,
  q.title, q.details, q.assignees, q.form, q.deadline, q.created_at as "createdAt", q.answer,
  q.answered_by as "answeredBy", q.answered_at as "answeredAt"`;
const joins = "join tandem.runs r on r.id = q.run_id join tandem.workflows f on f.id = r.workflow_id";

/** Which open questions; what is not given does not narrow. */
export interface QuestionQuery {
  readonly workspaceId: string;
  readonly runId?: string | undefined;
  /** An address: the questions that it is asked. */
  readonly assignee?: string | undefined;
  /** Only questions older than this one. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Open questions of a workspace, newest first. */
export async function listQuestions(sql: Sql, query: QuestionQuery): Promise<Question[]> {
  const conditions = ["q.workspace_id = $1::uuid", answerableSql("q", "r")];
  const values: unknown[] = [query.workspaceId, query.limit];
  if (query.runId !== undefined) conditions.push(`q.run_id = $${values.push(query.runId)}::uuid`);
  if (query.before !== undefined) conditions.push(`q.id < $${values.push(query.before)}::uuid`);
  if (query.assignee !== undefined)
    conditions.push(
      `exists (select 1 from unnest(q.assignees) a where lower(a) = lower($${values.push(query.assignee)}::text))`,
    );
  const text = `select ${columns} from tandem.questions q ${joins} where ${conditions.join(" and ")} order by q.id desc limit $2::integer`;
  const { rows } = await sql.query<Row>({ name: statementName(text), text, values });
  return rows.map(toQuestion);
}

/** One question, open or not; undefined: the workspace has no such question. */
export async function findQuestion(
  sql: Sql,
  { workspaceId, questionId }: { workspaceId: string; questionId: string },
): Promise<Question | undefined> {
  const { rows } = await sql.query<Row>({
    name: "find_question",
    text: `select ${columns} from tandem.questions q ${joins} where q.id = $2::uuid and q.workspace_id = $1::uuid`,
    values: [workspaceId, questionId],
  });
  return rows.map(toQuestion)[0];
}

/** The workspace that a question is of: who follows a link to it names none. */
export async function findWorkspaceOf(sql: Sql, questionId: string): Promise<string | undefined> {
  const { rows } = await sql.query<{ id: string }>({
    name: "workspace_of_question",
    text: "select workspace_id as id from tandem.questions where id = $1::uuid",
    values: [questionId],
  });
  return rows[0]?.id;
}

function toQuestion(row: Row): Question {
  return {
    ...row,
    deadline: isoOf(row.deadline),
    createdAt: row.createdAt.toISOString(),
    answeredAt: isoOf(row.answeredAt),
  };
}
