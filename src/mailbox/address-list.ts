import { z } from "zod";
import { parseAddress, type Address } from "./address.ts";

/**
 * Addresses as people and expressions give them: one by itself, a list, lists in a list. Null and empty
 * text are nobody, as an empty field of a record gives it. A fault names the place of the one address.
 */
export const addressList = z
  .unknown()
  .meta({ type: ["string", "array", "null"], description: "An address, or a list of addresses" })
  .transform((given, context): Address[] => [...readList(given, [], context)]);

/** One address; null where none is written. */
export const oneAddress = z
  .string()
  .nullable()
  .transform((text, context): Address | null => readOne(text, [], context) ?? null);

type Place = readonly number[];

function* readList(given: unknown, place: Place, context: z.core.$RefinementCtx): Generator<Address> {
  if (Array.isArray(given)) {
    for (const [position, item] of given.entries()) yield* readList(item, [...place, position], context);
    return;
  }
  const address = readOne(given, place, context);
  if (address !== undefined) yield address;
}

function readOne(given: unknown, place: Place, context: z.core.$RefinementCtx): Address | undefined {
  if (given === null || given === undefined) return undefined;
  if (typeof given !== "string") {
    const what = typeof given === "object" ? "an object" : JSON.stringify(given);
    context.addIssue({ code: "custom", path: [...place], message: `${what} is no e-mail address: name its text` });
    return undefined;
  }
  if (given.trim() === "") return undefined;
  const parsed = parseAddress(given);
  if (parsed === undefined) context.addIssue({ code: "custom", path: [...place], message: faultOf(given) });
  return parsed;
}

function faultOf(text: string): string {
  const quoted = JSON.stringify(text.slice(0, 80));
  const parts = text.split(/[,;]/);
  return parts.length > 1 && parts.every((part) => parseAddress(part) !== undefined)
    ? `${quoted} is no e-mail address but several: write them as a list`
    : `${quoted} is no e-mail address`;
}
