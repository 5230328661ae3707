import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Format } from "../../crm/transfer/settings.ts";
import { didYouMean, sentence } from "../../definition/suggest.ts";
import { ProblemError } from "../../errors.ts";

/** Content types by format. */
export const fileTypes = {
  csv: "text/csv; charset=utf-8",
  "json-lines": "application/jsonl; charset=utf-8",
} as const satisfies Record<Format, string>;

const extensions = { csv: "csv", "json-lines": "jsonl" } as const satisfies Record<Format, string>;

/** What a browser saves a file as. */
export function fileName(stem: string, format: Format): string {
  return `${stem.replaceAll(/[^\w-]/g, "_")}.${extensions[format]}`;
}

/** An object by its name or plural. Throws ProblemError 404, or 422 where it stands at a place of the body. */
export function findObject(objects: Objects, name: string, place?: string): CrmObject {
  const object = objects.find(name) ?? objects.findByPlural(name);
  if (object !== undefined) return object;
  const known = objects.list().map((each) => each.name);
  const message = `there is no object "${name}"${didYouMean(name, known) || `; there are ${known.join(", ")}`}`;
  if (place === undefined) throw new ProblemError(404, "object-not-found", sentence(`T${message.slice(1)}`));
  throw new ProblemError(422, "invalid-body", "The body is not valid.", { issues: [{ path: place, message }] });
}
