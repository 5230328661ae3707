import { Router, type Request, type Response } from "express";
import { ProblemError } from "../../errors.ts";
import { answerQuestion } from "../../runs/questions/answer.ts";
import { formSchema } from "../../runs/questions/form.ts";
import { readLink } from "../../runs/questions/link.ts";
import { findQuestion, findWorkspaceOf, type Question } from "../../runs/questions/read.ts";
import type { SqlPool } from "../../sql.ts";
import { decodeText } from "../body/parse-body.ts";
import { parseForm } from "../body/parse-form.ts";
import { readBody } from "../body/read-body.ts";
import { noticeHtml, questionHtml, questionStyle } from "./html.ts";
import { readSent } from "./sent-form.ts";

const maxBodyBytes = 1024 * 1024;
/** Nothing from elsewhere, no scripts, and the form goes nowhere else. */
const policy = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/**
 * `/questions/:token`: where the links in mails lead. The token is the key: it opens one question. To look
 * changes nothing, since mail programs look by themselves; only what is sent by the form answers.
 */
export function questionPage(pool: SqlPool): Router {
  const router = Router();
  router.get("/style.css", (_request, response) => void response.type("text/css").send(questionStyle));
  router.get("/:token", async (request, response) => {
    const found = await findLinked(pool, request.params.token);
    if (found === undefined) return send(response, 404, unknown);
    if (found.question.state !== "open") return send(response, 200, noticeOf(found.question));
    return send(response, 200, questionHtml(found.question));
  });
  router.post("/:token", async (request, response) => {
    const found = await findLinked(pool, request.params.token);
    if (found === undefined) return send(response, 404, unknown);
    return answer(pool, { request, response, found });
  });
  return router;
}

interface Found {
  readonly workspaceId: string;
  readonly question: Question;
  /** Whose link it is. */
  readonly assignee: string;
}

async function findLinked(pool: SqlPool, token: string): Promise<Found | undefined> {
  const link = await readLink(pool, token);
  const workspaceId = link && (await findWorkspaceOf(pool, link.questionId));
  if (link === undefined || workspaceId === undefined) return undefined;
  const question = await findQuestion(pool, { workspaceId, questionId: link.questionId });
  const assignee = question?.assignees[link.position];
  return question === undefined || assignee === undefined ? undefined : { workspaceId, question, assignee };
}

async function answer(
  pool: SqlPool,
  { request, response, found }: { request: Request; response: Response; found: Found },
): Promise<void> {
  const { workspaceId, question, assignee } = found;
  const sent = parseForm(decodeText(await readBody(request, maxBodyBytes)));
  try {
    const answered = await answerQuestion(pool, {
      workspaceId,
      questionId: question.id,
      answer: readSent(formSchema.parse(question.form), sent),
      fromText: true,
      answeredBy: { kind: "link", name: assignee },
    });
    send(response, 200, noticeOf(answered));
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (error.status === 422) return send(response, 422, questionHtml(question, error.issues));
    send(response, error.status, noticeHtml(question.title, error.message));
  }
}

function noticeOf({ title, state, answeredBy }: Question): string {
  const by = typeof answeredBy?.["name"] === "string" ? ` by ${answeredBy["name"]}` : "";
  const said = {
    open: "It is open.",
    answered: `It is answered${by}. Thank you.`,
    "timed-out": "Its deadline has passed: it cannot be answered any more.",
    closed: "Whoever asked does not wait for the answer any more.",
  };
  return noticeHtml(title, said[state]);
}

const unknown = noticeHtml("Nothing is asked here", "This link leads to no question. Is it whole?");

function send(response: Response, status: number, html: string): void {
  response
    .status(status)
    .set({ "content-security-policy": policy, "cache-control": "no-store" })
    .type("html")
    .send(html);
}
