/** What was thrown, as far as it can be said in bounds. */
export interface Thrown {
  readonly message: string;
  readonly stack: string;
}

const mostMessage = 2_000;
const mostStack = 4_000;

/** Describes what was thrown, which may be anything, and may itself throw when it is looked at. */
export function describeThrown(thrown: unknown): Thrown {
  try {
    if (!(thrown instanceof Error)) return { message: cut(`It threw ${write(thrown)}.`, mostMessage), stack: "" };
    const name = String(thrown.name);
    const said = String(thrown.message);
    const message = said === "" ? name : name === "Error" ? said : `${name}: ${said}`;
    return { message: cut(message, mostMessage), stack: cut(String(thrown.stack), mostStack) };
  } catch {
    return { message: "It threw something that cannot be described.", stack: "" };
  }
}

function write(thrown: unknown): string {
  if (typeof thrown === "string") return thrown;
  if (typeof thrown !== "object" || thrown === null) return String(thrown);
  return JSON.stringify(thrown) ?? "an object";
}

function cut(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most)}…` : text;
}
