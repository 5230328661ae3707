import type { Host } from "./kit.ts";

const levels = { log: "", info: "", debug: "", trace: "", warn: "warning: ", error: "error: " } as const;
/** What one value is written with, at most. */
const mostText = 10_000;
const mostLevels = 5;

/** A console whose lines are kept with the step, until there are too many of them. */
export function createConsole(host: Host): Readonly<Record<keyof typeof levels, (...values: unknown[]) => void>> {
  let isOpen = true;
  const write =
    (prefix: string) =>
    (...values: unknown[]): void => {
      // What is not kept need not be written out.
      if (isOpen) isOpen = host("log", `${prefix}${values.map(textOf).join(" ")}`) === "=more";
    };
  return {
    log: write(levels.log),
    info: write(levels.info),
    debug: write(levels.debug),
    trace: write(levels.trace),
    warn: write(levels.warn),
    error: write(levels.error),
  };
}

function textOf(value: unknown): string {
  try {
    const text = typeof value === "string" ? value : inspect(value, mostLevels);
    return text.length > mostText ? `${text.slice(0, mostText)}…` : text;
  } catch {
    return "[what cannot be written]";
  }
}

/** A value as people read it: JSON where it is JSON, and a word for what is none. */
function inspect(value: unknown, levelsLeft: number): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `[function ${value.name || "without a name"}]`;
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  if (levelsLeft === 0) return "…";
  const inner = (part: unknown): string => inspect(part, levelsLeft - 1);
  if (Array.isArray(value)) return `[${firstOf(value).map(inner).join(", ")}${restOf(value.length)}]`;
  if (value instanceof Map) {
    const pairs = firstOf([...value]).map(([key, part]) => `${inner(key)} => ${inner(part)}`);
    return `Map {${pairs.join(", ")}${restOf(value.size)}}`;
  }
  if (value instanceof Set)
    return `Set {${firstOf([...value])
      .map(inner)
      .join(", ")}${restOf(value.size)}}`;
  const entries = Object.entries(value);
  return `{${firstOf(entries)
    .map(([key, part]) => `${key}: ${inner(part)}`)
    .join(", ")}${restOf(entries.length)}}`;
}

const mostItems = 100;

function firstOf<T>(items: readonly T[]): readonly T[] {
  return items.slice(0, mostItems);
}

function restOf(count: number): string {
  return count > mostItems ? `, … ${count - mostItems} more` : "";
}
