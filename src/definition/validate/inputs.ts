import type { z } from "zod";
import type { StepKind } from "../../activities/step-kind.ts";
import type { Issue } from "../../errors.ts";
import { issuesOf } from "../issues.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";

/**
 * Checks a step's input as written against the shape that its kind takes when it is resolved. An
 * expression may stand for any value, so faults at an expression, or below one, are none; what is
 * written out must fit, and the kind's fixed keys must be written out.
 */
export function checkInput(kind: StepKind, input: JsonObject, at: string): Issue[] {
  const issues: Issue[] = kind.fixed
    .filter((key) => isExpression(input[key]))
    .map((key) => ({ path: `${at}.${key}`, message: `"${key}" must be written out: it is looked up when the workflow is activated` }));
  const parsed = (kind.input as z.ZodType).safeParse(input);
  if (parsed.success) return issues;
  const real = parsed.error.issues.filter((issue) => !standsForMore(input, issue.path));
  return [...issues, ...real.flatMap((issue) => issuesOf({ issues: [issue] } as z.ZodError, at))];
}

/** Whether the value at the path is, or lies in, or holds an expression: then only its result can tell. */
function standsForMore(input: Json, path: readonly PropertyKey[]): boolean {
  let value: Json | undefined = input;
  for (const key of path) {
    if (isExpression(value)) return true;
    if (Array.isArray(value)) value = value[Number(key)];
    else if (isJsonObject(value)) value = value[String(key)];
    else return false;
  }
  return path.length > 0 && holdsExpression(value);
}

function holdsExpression(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.some(holdsExpression);
  return isExpression(value);
}

function isExpression(value: Json | undefined): boolean {
  return typeof value === "string" && (value.includes("{{") || value.includes("{%"));
}
