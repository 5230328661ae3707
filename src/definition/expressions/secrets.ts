import type { Place } from "./escape.ts";
import { readsOf } from "./references.ts";
import type { Chain, Parts } from "./syntax.ts";

/** The root under which secrets are named. */
export const secretsRoot = "secrets";

/** A secret's name: what stands behind `secrets.`. */
const namePattern = /^[A-Za-z_]\w{0,63}$/;

/** A secret where a text holds it: the value goes in there, encoded for the place. */
export interface SecretPart {
  readonly name: string;
  readonly place: Place;
}

/** Stands for the values of secrets in one evaluation. */
export interface SecretMarks {
  /** The text that stands for a secret's value until the call is made. */
  mark(name: string, place: Place): string;
  /** The text cut at its marks; undefined where it holds none. */
  split(text: string): Array<string | SecretPart> | undefined;
  /** Whether any was given. */
  given(): boolean;
  /** Whether a piece of a mark is left in the text, however it was changed. */
  leaves(text: string): boolean;
}

/**
 * Marks that nobody can write who does not know the nonce, which is random, of lower-case hexadecimal digits
 * and used for one evaluation. A mark has only characters that URLs, forms, HTML and markdown leave alone.
 */
export function createSecretMarks(nonce: string): SecretMarks {
  const marks = new RegExp(`secret_${nonce}_([a-z]+)_(\\w{1,64}?)_${nonce}`, "g");
  let given = false;
  return {
    mark(name, place) {
      given = true;
      return `secret_${nonce}_${place}_${name}_${nonce}`;
    },
    given: () => given,
    split(text) {
      if (!text.includes(nonce)) return undefined;
      const parts: Array<string | SecretPart> = [];
      let end = 0;
      for (const match of text.matchAll(marks)) {
        const [whole, place = "", name = ""] = match;
        if (match.index > end) parts.push(text.slice(end, match.index));
        parts.push({ name, place: place as Place });
        end = match.index + whole.length;
      }
      if (end === 0) return undefined;
      if (end < text.length) parts.push(text.slice(end));
      return parts;
    },
    leaves: (text) => text.toLowerCase().includes(nonce),
  };
}

/** The name, if the expression is exactly `secrets.NAME`. */
export function secretOf({ operand, filters }: Chain): string | undefined {
  if (operand.kind !== "path" || filters.length > 0) return undefined;
  const [root, name, ...rest] = operand.fixed ?? [];
  return root === secretsRoot && typeof name === "string" && namePattern.test(name) && rest.length === 0
    ? name
    : undefined;
}

/** Whether these parts read a secret other than by writing it into the text as it is. */
export function misuseSecrets(parts: Parts): boolean {
  const reads = readsOf(parts).filter(({ path }) => path[0] === secretsRoot);
  return reads.length > writtenSecrets(parts);
}

/** How many expressions of the text are a secret and nothing else; those that tags ask are not among them. */
function writtenSecrets(parts: Parts): number {
  let count = 0;
  for (const part of parts) {
    if (typeof part === "string") continue;
    if (part.kind === "chain") count += secretOf(part) === undefined ? 0 : 1;
    else if (part.kind === "for") count += writtenSecrets(part.parts) + writtenSecrets(part.otherwise);
    else {
      for (const branch of part.branches) count += writtenSecrets(branch.parts);
      count += writtenSecrets(part.otherwise);
    }
  }
  return count;
}
