import { isUuid } from "../../ids.ts";
import type { Sql } from "../../sql.ts";
import { getSigner } from "../signing.ts";

/** Who follows a link from a mail: the question, and which of its assignees was sent the link. */
export interface Linked {
  readonly questionId: string;
  readonly position: number;
}

/**
 * What stands in a link to a question: whoever has it may answer this question, and nothing else. It is signed
 * and kept nowhere.
 */
export async function linkToken(sql: Sql, { questionId, position }: Linked): Promise<string> {
  const text = `${questionId}.${position}`;
  return `${text}.${(await getSigner(sql)).sign("question", text)}`;
}

/** What a link leads to; undefined: it is none of ours. */
export async function readLink(sql: Sql, token: string): Promise<Linked | undefined> {
  const [questionId = "", position = "", signature = "", ...rest] = token.split(".");
  if (!isUuid(questionId) || !/^\d{1,3}$/.test(position) || rest.length > 0) return undefined;
  const isOurs = (await getSigner(sql)).verify("question", `${questionId}.${position}`, signature);
  return isOurs ? { questionId, position: Number(position) } : undefined;
}
