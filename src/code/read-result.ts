import type { Json } from "../json.ts";
import { mostDepth } from "./limits.ts";

/**
 * Reads what a child says that code returned. The interpreter looked at it already, but in the user's
 * reach: what the ledger cannot keep is looked for once more, without recursion.
 */
export function readResult(text: string): { readonly value: Json } | { readonly fault: string } {
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return { fault: "The result is no JSON." };
  }
  let level: Json[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > mostDepth) return { fault: `The result lies more than ${mostDepth} levels deep.` };
    const below: Json[] = [];
    for (const part of level) if (!collect(part, below)) return { fault: "The result holds what is no text." };
    level = below;
  }
  return { value };
}

/** Adds what lies in a value; false: it is, or has as a key, text that cannot be kept. */
function collect(value: Json, below: Json[]): boolean {
  if (typeof value === "string") return isText(value);
  if (typeof value !== "object" || value === null) return true;
  if (!Array.isArray(value) && !Object.keys(value).every(isText)) return false;
  for (const part of Object.values(value)) below.push(part);
  return true;
}

function isText(text: string): boolean {
  return !text.includes("\u0000") && text.isWellFormed();
}
