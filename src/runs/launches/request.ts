import { createHash } from "node:crypto";
import { z } from "zod";
import { recordConditionSchema } from "../../definition/conditions.ts";
import { issuesOf } from "../../definition/issues.ts";
import { ProblemError, type Issue } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";

// What came through a JSON parser is JSON; what it must be is the trigger's affair.
const json = z.unknown() as z.ZodType<Json>;

/** What a launch id may be: a name of the launcher's own making. */
export const launchIdSchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,200}$/, "1 to 200 characters of ASCII without spaces")
  .meta({ description: "The same id again is the same launch. Default: one is made up" });

/** What a launch asks for, by the API and by signal alike. */
export const launchRequestSchema = z.strictObject({
  launchId: launchIdSchema.optional(),
  triggerId: z.string().max(64).optional().meta({ description: "Which manual trigger, where there are several" }),
  inputs: z.record(z.string(), json).default({}).meta({ description: "Values of the trigger's inputs" }),
  ids: z.array(z.uuid("the id of a record")).optional().meta({ description: "The selected records" }),
  view: z.string().min(1).max(64).optional().meta({ description: "A view, whose records are selected" }),
  // The type, since the API's document cannot hold a schema that names itself.
  filter: recordConditionSchema
    .optional()
    .meta({ type: "object", description: "A condition, whose records are selected" }),
});

export type LaunchRequest = z.output<typeof launchRequestSchema>;

/** What was asked for, from JSON. Throws ProblemError 422 with the place of each fault. */
export function parseLaunchRequest(content: Json): LaunchRequest {
  if (!isJsonObject(content))
    throw invalidLaunch([{ path: "", message: "a launch is an object: { inputs, ids, view, filter, launchId }" }]);
  const parsed = launchRequestSchema.safeParse(content);
  if (!parsed.success) throw invalidLaunch(issuesOf(parsed.error, launchRequestSchema));
  return parsed.data;
}

/** The refusal of what cannot be launched so. */
export function invalidLaunch(issues: readonly Issue[]): ProblemError {
  const [first] = issues;
  const place = first === undefined || first.path === "" ? "" : `${first.path}: `;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new ProblemError(422, "invalid-launch", `${place}${first?.message ?? "invalid"}${more}`, { issues });
}

/** The same for the same request, whatever the order of its keys and ids: another one under its id is told apart. */
export function contentHash({ launchId: _launchId, ids, ...rest }: LaunchRequest): Buffer {
  const content = { ...rest, ids: ids && [...ids].map((id) => id.toLowerCase()).toSorted() };
  return createHash("sha256").update(JSON.stringify(content, inOrder)).digest();
}

function inOrder(_key: string, value: unknown): unknown {
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) satisfies JsonObject;
}
