import { createId } from "../../ids.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import { beginGated, commitGated, openStatuses, type RunKey } from "../ledger.ts";
import { addWait, waitIdOf } from "../waits/open.ts";
import type { Form } from "./form.ts";
import type { Question } from "./read.ts";

/** A question to be. */
export interface NewQuestion {
  readonly workspaceId: string;
  /** The step that asks. */
  readonly path: string;
  readonly title: string;
  readonly details: string | null;
  /** Addresses of those who are asked. */
  readonly assignees: readonly string[];
  readonly form: Form;
  readonly deadline: Date | null;
  /** Whether the assignees are told by mail, and how long until they are told again; null: once. */
  readonly notify: boolean;
  readonly remindMs: number | null;
  readonly beside: boolean;
}

/**
 * Asks, and lets the run wait for the answer, in one statement. Asked before, it stays as it was asked.
 * Gives the wait's id. Throws FencedError.
 */
export async function ask(sql: Sql, key: RunKey, question: NewQuestion): Promise<string> {
  const statement = beginGated(key);
  const p = statement.param;
  const deadline = p(question.deadline, "timestamptz");
  statement.with(
    "question",
    `insert into tandem.questions (id, workspace_id, run_id, path, title, details, assignees, form, deadline, remind_ms, mail_due_at)
     select ${p(createId(), "uuid")}, ${p(question.workspaceId, "uuid")}, g.run_id, ${p(question.path, "text")}, ${p(question.title, "text")},
       ${p(question.details, "text")}, ${p(question.assignees, "text[]")}, ${p(question.form, "jsonb")}, ${deadline},
       ${p(question.remindMs, "bigint")}, case when ${p(question.notify, "boolean")} then now() end
     from gate g on conflict (run_id, path) do nothing`,
  );
  const waitId = waitIdOf(question.path, "question");
  const { path, beside } = question;
  addWait(statement, { path, waitId, kind: "question", until: deadline, beside, fence: key.fence });
  await commitGated(sql, statement);
  return waitId;
}

/** How a question of a run stands. */
export interface AskedQuestion {
  readonly id: string;
  readonly state: Question["state"];
  readonly answer: Json;
  readonly answeredBy: JsonObject | null;
}

/**
 * The question that a step asked; undefined: it has not asked yet. One whose deadline has passed is closed by
 * this: from now on nobody answers it.
 */
export async function findAsked(sql: Sql, runId: string, path: string): Promise<AskedQuestion | undefined> {
  await sql.query({
    name: "time_out_question",
    text: `update tandem.questions set state = 'timed-out' where run_id = $1::uuid and path = $2::text and state = 'open' and deadline <= now()`,
    values: [runId, path],
  });
  const { rows } = await sql.query<AskedQuestion>({
    name: "find_asked",
    text: `select id, state, answer, answered_by as "answeredBy" from tandem.questions where run_id = $1::uuid and path = $2::text`,
    values: [runId, path],
  });
  return rows[0];
}

/** Closes open questions of runs that are over: nobody is to be asked any more. */
export async function closeQuestions(sql: Sql): Promise<void> {
  await sql.query({
    name: "close_questions",
    text: `update tandem.questions q set state = 'closed' where q.state = 'open'
      and not exists (select 1 from tandem.runs r where r.id = q.run_id and r.status in ${openStatuses})`,
  });
}
