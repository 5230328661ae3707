import { z } from "zod";
import { ProblemError } from "../../errors.ts";
import { answerQuestion, getQuestion } from "../../runs/questions/answer.ts";
import { listQuestions } from "../../runs/questions/read.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeCursor, toPage } from "../cursor.ts";
import { defineEndpoint, type Endpoint } from "../endpoint.ts";
import { id, idParams, json, moment, pageOf, pageQuery, sentJson } from "../schemas.ts";

const question = z
  .object({
    id,
    runId: id,
    workflowId: id,
    workflowKey: z.string(),
    workflowName: z.string(),
    path: z.string().meta({ description: "The step that asks" }),
    state: z
      .enum(["open", "answered", "timed-out", "closed"])
      .meta({ description: "`closed`: its run was over before anybody answered" }),
    title: z.string(),
    details: z.string().nullable(),
    assignees: z.array(z.string()).meta({ description: "Addresses of those who are asked" }),
    form: json.meta({
      description:
        'What is asked for: `{ kind: "approval" }`, `{ kind: "fields", fields }` or `{ kind: "schema", schema }`',
    }),
    deadline: moment.nullable(),
    createdAt: moment,
    answer: json,
    answeredBy: json.meta({ description: "`{ kind, name }` of who answered; null: nobody has" }),
    answeredAt: moment.nullable(),
  })
  .meta({ id: "Question" });

const answer = z
  .object({ answer: json, answeredBy: json, answeredAt: moment.nullable() })
  .meta({ id: "QuestionAnswer" });

const given = z.strictObject({
  answer: sentJson.meta({
    description: "Of an approval `{ approved, comment }`; of fields their values by name; of a schema whatever fits it",
  }),
});

const questionsQuery = pageQuery.extend({
  runId: id.optional(),
  assignee: z.string().max(300).optional().meta({ description: "An address: the questions that it is asked" }),
});

/** `/api/questions`: what runs ask people, and the answers. */
export function questionEndpoints(pool: SqlPool): Endpoint[] {
  return [
    defineEndpoint({
      method: "get",
      path: "/api/questions",
      tag: "Questions",
      summary: "Open questions, newest first",
      query: questionsQuery,
      answers: { 200: pageOf(question) },
      async handle({ workspace, query: { limit, cursor, ...narrowed } }) {
        const before = cursor === undefined ? undefined : decodeCursor(cursor);
        const query = { ...narrowed, before, workspaceId: workspace.id, limit: limit + 1 };
        return { body: toPage(await listQuestions(pool, query), limit) };
      },
    }),
    defineEndpoint({
      method: "get",
      path: "/api/questions/{id}",
      tag: "Questions",
      summary: "One question, open or not",
      params: idParams,
      answers: { 200: question },
      handle: async ({ workspace, params }) => ({
        body: await getQuestion(pool, { workspaceId: workspace.id, questionId: params.id }),
      }),
    }),
    defineEndpoint({
      method: "get",
      path: "/api/questions/{id}/answer",
      tag: "Questions",
      summary: "What was answered",
      params: idParams,
      answers: { 200: answer },
      refusals: { 404: "There is no such question, or nobody has answered it" },
      async handle({ workspace, params }) {
        const found = await getQuestion(pool, { workspaceId: workspace.id, questionId: params.id });
        if (found.state !== "answered")
          throw new ProblemError(
            404,
            "not-answered",
            `Nobody has answered the question ${params.id}: it is ${found.state}.`,
          );
        const { answer: said, answeredBy, answeredAt } = found;
        return { body: { answer: said, answeredBy, answeredAt } };
      },
    }),
    defineEndpoint({
      method: "post",
      path: "/api/questions/{id}/answer",
      tag: "Questions",
      summary: "Answer a question",
      description:
        "A question is answered once: the first answer counts. Its run goes on as soon as the workers are there, and at once if they are.",
      params: idParams,
      body: given,
      answers: { 200: question },
      refusals: { 409: "It is answered already, or closed" },
      async handle({ workspace, params, body, actor }) {
        const answered = await answerQuestion(pool, {
          workspaceId: workspace.id,
          questionId: params.id,
          answer: body.answer,
          answeredBy: { kind: "api-key", name: actor.name },
        });
        return { body: answered };
      },
    }),
  ];
}
