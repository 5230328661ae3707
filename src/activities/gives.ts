import type { Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createRecent } from "../recent.ts";
import { compileBodySchema, findSchemaFault, type BodySchema } from "../triggers/body-schema.ts";

const compiled = createRecent<string, BodySchema>(200);

/**
 * What a step gave as its `gives` declares it: text where that is declared and a whole number came. Every
 * fault has its path, which begins with `body`.
 */
export function fitGiven(given: Json, gives: JsonObject): ReturnType<BodySchema["check"]> {
  const key = JSON.stringify(gives);
  const schema = compiled.get(key) ?? compileBodySchema(gives);
  compiled.set(key, schema);
  return schema.check(given, { fromText: false });
}

/** What is wrong with a `gives`, before anything is given. */
export function checkGives(gives: Json | undefined, path: string): Issue[] {
  if (gives === undefined || !isJsonObject(gives)) return [];
  const fault = findSchemaFault(gives);
  return fault === undefined ? [] : [{ path, message: `is no JSON Schema: ${fault}` }];
}
