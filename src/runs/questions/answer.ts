import { ProblemError } from "../../errors.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { ringDispatcher } from "../doorbell.ts";
import { askAgainSql } from "../waits/due.ts";
import { waitIdOf } from "../waits/open.ts";
import { formSchema, readAnswer } from "./form.ts";
import { answerableSql, findQuestion, type Question } from "./read.ts";

/** An answer to a question of a workspace. */
export interface GivenAnswer {
  readonly workspaceId: string;
  readonly questionId: string;
  readonly answer: Json;
  /** Its values came as the text of an HTML form. */
  readonly fromText?: boolean;
  /** Who answers: `{ kind, name }`. */
  readonly answeredBy: JsonObject;
}

/**
 * Answers a question, once: of several who answer it one wins. The answer is committed with what lets the run
 * go on, so that it counts whatever is away meanwhile. Throws ProblemError: 404, 409 answered or closed, 422.
 */
export async function answerQuestion(sql: Sql, given: GivenAnswer): Promise<Question> {
  const question = await getQuestion(sql, given);
  if (question.state !== "open") throw closed(question);
  const { answer, issues } = readAnswer(formSchema.parse(question.form), given.answer, {
    fromText: given.fromText === true,
  });
  if (issues.length > 0)
    throw new ProblemError(422, "invalid-answer", "The answer is not what the question asks for.", { issues });
  const isKept = await keepAnswer(sql, { ...given, answer });
  const now = await getQuestion(sql, given);
  if (!isKept) throw closed(now);
  ringDispatcher(sql);
  return now;
}

/** A question of the workspace. Throws ProblemError 404. */
export async function getQuestion(
  sql: Sql,
  { workspaceId, questionId }: Pick<GivenAnswer, "workspaceId" | "questionId">,
): Promise<Question> {
  const question = await findQuestion(sql, { workspaceId, questionId });
  if (question === undefined) throw new ProblemError(404, "question-not-found", `There is no question ${questionId}.`);
  return question;
}

/** The one statement by which a question is answered: its state, and the wait of its run. False: it is not open. */
async function keepAnswer(sql: Sql, { workspaceId, questionId, answer, answeredBy }: GivenAnswer): Promise<boolean> {
  const { rows } = await sql.query<{ kept: boolean }>({
    name: "answer_question",
    text: `with answered as (
        update tandem.questions q set state = 'answered', answer = $3::jsonb, answered_by = $4::jsonb, answered_at = clock_timestamp()
        from tandem.runs r
        where q.id = $2::uuid and q.workspace_id = $1::uuid and r.id = q.run_id and ${answerableSql("q", "r")}
        returning q.run_id, q.path
      ), due as (
        update tandem.waits w set due_at = now() from answered a
        where w.run_id = a.run_id and w.id = a.path || '${waitIdOf("", "question")}' and w.settled_at is null
        returning w.run_id
      ), asking as (
        ${askAgainSql("due")}
      ) select exists (select 1 from answered) as kept`,
    values: [workspaceId, questionId, JSON.stringify(answer), JSON.stringify(answeredBy)],
  });
  return rows[0]?.kept === true;
}

function closed({ id, state }: Question): ProblemError {
  if (state === "answered")
    return new ProblemError(
      409,
      "question-answered",
      `The question ${id} is answered already: the first answer counts.`,
    );
  const why = state === "timed-out" ? "its deadline has passed" : "its run is over";
  return new ProblemError(409, "question-closed", `The question ${id} is not open any more: ${why}.`);
}
