import type { PathSegment } from "../definition/expressions.ts";

/** One text for a path, for maps. */
export function pathKey(path: readonly PathSegment[]): string {
  return path.join("\u0000");
}
