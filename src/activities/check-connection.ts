import { didYouMean } from "../definition/suggest.ts";
import { at, type Issue } from "../errors.ts";
import { textOf, type JsonObject } from "../json.ts";
import type { CheckContext } from "./step-kind.ts";

/** That the connection which an input names is there, where it is known which there are. */
export function checkConnection(input: JsonObject, context: CheckContext): Issue[] {
  const key = textOf(input["connection"]);
  if (key === undefined || context.connections === undefined || context.connections.has(key)) return [];
  const meant = didYouMean(key, context.connections) || "; make it by POST /api/connections";
  return [{ path: at(context.at, "connection"), message: `unknown connection "${key}"${meant}` }];
}
