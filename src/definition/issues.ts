import { z } from "zod";
import { at, type Issue } from "../errors.ts";
import { didYouMean } from "./suggest.ts";

type Path = readonly PropertyKey[];

/** A fault with the way to it, before it is written as a place. */
export interface Fault {
  readonly path: Path;
  readonly message: string;
}

/** zod's issues with places as people read them, below `place`; misspelt keys with the one that was meant. */
export function issuesOf(error: z.ZodError, schema: z.ZodType, place = ""): Issue[] {
  return faultsOf(error, schema).map(({ path, message }) => ({ path: placeOf(path, place), message }));
}

/**
 * zod's issues one by one. Of a union the nearest member speaks. What `excused` holds of is left out:
 * a fault there is none.
 */
export function faultsOf(
  error: z.ZodError,
  schema: z.ZodType,
  excused: (path: Path) => boolean = () => false,
): Fault[] {
  return error.issues.flatMap((issue) => spread(issue, { schema, excused, above: [] }));
}

/** Hands the faults of a part, parsed by a schema of its own, to the schema that it is part of. */
export function passOn(error: z.ZodError, schema: z.ZodType, context: z.core.$RefinementCtx): never {
  for (const { path, message } of faultsOf(error, schema))
    context.addIssue({ code: "custom", path: [...path], message });
  return z.NEVER;
}

interface Spreading {
  readonly schema: z.ZodType;
  readonly excused: (path: Path) => boolean;
  /** The way to the union that the issue lies in. */
  readonly above: Path;
}

function spread(issue: z.core.$ZodIssue, spreading: Spreading): Fault[] {
  const path = [...spreading.above, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(spreading.schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: known.includes(key)
        ? `"${key}" does not go together with what stands beside it: leave one of them out`
        : `unknown key "${key}"${didYouMean(key, known)}`,
    }));
  }
  if (spreading.excused(path)) return [];
  if (issue.code === "invalid_union" && issue.errors.length > 0)
    return spreadUnion(issue.errors, { ...spreading, above: path });
  // Of a key that is none, what is wrong with it.
  if (issue.code === "invalid_key") return [{ path, message: issue.issues[0]?.message ?? issue.message }];
  return [{ path, message: issue.message }];
}

/** No fault where one member has none but excused ones; else those of the member that was meant. */
function spreadUnion(members: ReadonlyArray<readonly z.core.$ZodIssue[]>, spreading: Spreading): Fault[] {
  const spoken = members.map((issues) => ({
    faults: issues.flatMap((issue) => spread(issue, spreading)),
    // A member of quite another type was not meant.
    another: issues.some(
      ({ code, path }) => path.length === 0 && (code === "invalid_type" || code === "invalid_value"),
    ),
  }));
  if (spoken.some(({ faults }) => faults.length === 0)) return [];
  const nearest = spoken.toSorted(
    (a, b) => Number(a.another) - Number(b.another) || a.faults.length - b.faults.length,
  )[0];
  return nearest?.faults ?? [];
}

function placeOf(path: Path, place: string): string {
  return path.reduce<string>((whole, key) => at(whole, typeof key === "number" ? key : String(key)), place);
}

/** The keys that a schema takes at a place. */
function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  if (schema instanceof z.ZodObject) {
    const [key, ...rest] = path;
    if (key === undefined) return Object.keys(schema.shape);
    const part: unknown = Object.hasOwn(schema.shape, key) ? schema.shape[String(key)] : undefined;
    return part instanceof z.ZodType ? keysAt(part, rest) : [];
  }
  if (schema instanceof z.ZodArray) return keysAt(schema.element, path.slice(1));
  if (schema instanceof z.ZodRecord) return keysAt(schema.valueType, path.slice(1));
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => keysAt(option, path));
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return keysAt(schema.unwrap(), path);
  if (schema instanceof z.ZodLazy) return keysAt(schema.unwrap(), path);
  return [];
}
