import type { z } from "zod";
import { at, type Issue } from "../errors.ts";

/** zod's issues with places as people read them, below `place`. */
export function issuesOf(error: z.ZodError, place = ""): Issue[] {
  return error.issues.flatMap((issue) => innermost(issue, place));
}

function innermost(issue: z.core.$ZodIssue, place: string): Issue[] {
  const path = issue.path.reduce<string>((whole, key) => at(whole, typeof key === "number" ? key : String(key)), place);
  // Of a union the nearest member speaks: the one with the fewest faults.
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const nearest = issue.errors.toSorted((a, b) => a.length - b.length || deepest(b) - deepest(a))[0] ?? [];
    if (nearest.length > 0) return nearest.flatMap((inner) => innermost(inner, path));
  }
  if (issue.code === "unrecognized_keys") return issue.keys.map((key) => ({ path: at(path, key), message: `unknown key "${key}"` }));
  return [{ path, message: issue.message }];
}

function deepest(issues: readonly z.core.$ZodIssue[]): number {
  return Math.max(0, ...issues.map((issue) => issue.path.length));
}
