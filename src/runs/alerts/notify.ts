import { ExpressionError } from "../../definition/expressions.ts";
import { resolveNotify } from "../../definition/validate/on-failure.ts";
import type { Json, JsonObject } from "../../json.ts";
import type { Address } from "../../mailbox/address.ts";
import { addressList } from "../../mailbox/address-list.ts";

/** Recipients of one mail. */
const mostRecipients = 50;

/** Whom a workflow wants told; null: whom the workspace names. `note` says where it cannot be known. */
export function readNotify(
  notify: Json | undefined,
  settings: JsonObject,
): { readonly notify: readonly string[] | null; readonly note?: string } {
  if (notify === undefined) return { notify: null };
  try {
    return { notify: textsIn(resolveNotify(notify, settings)) };
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return { notify: null, note: `You get this since the workflow's own addresses cannot be read: ${error.message}` };
  }
}

function textsIn(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap(textsIn);
  return typeof value === "string" && value.trim() !== "" ? [value] : [];
}

/** The addresses among the texts, each once. What is none is left out: somebody else is told at least. */
export function readRecipients(texts: readonly string[]): Address[] {
  const byAddress = new Map<string, Address>();
  for (const text of texts) {
    const parsed = addressList.safeParse(text);
    for (const one of parsed.success ? parsed.data : []) byAddress.set(one.address.toLowerCase(), one);
  }
  return [...byAddress.values()].slice(0, mostRecipients);
}
