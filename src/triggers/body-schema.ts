import { Ajv, type ErrorObject } from "ajv";
import formatsPlugin from "ajv-formats";
import { RE2JS } from "re2js";
import { at, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createFit } from "./fit-body.ts";

/** Checks values against a declared JSON Schema. */
export interface BodySchema {
  /**
   * The body with its values fitted to the declared types, and every fault with its path, which begins with
   * `at`: "body" by default. `fromText`: the values came as form or query text.
   */
  check(
    body: Json,
    options: { fromText: boolean; at?: string },
  ): { readonly body: Json; readonly issues: readonly Issue[] };
}

const mostIssues = 100;

/**
 * Compiles a JSON Schema (draft 7). Unknown keywords and formats are errors. Throws an Error that says
 * what is wrong with it.
 */
export function compileBodySchema(schema: JsonObject): BodySchema {
  if (schema["$async"] !== undefined) throw new Error('"$async" is not available');
  const validate = createAjv().compile(schema);
  const fit = createFit(schema);
  return {
    check(body, { at: place = "body", ...options }) {
      const { kept, checked } = fit(body, options);
      if (validate(checked)) return { body: kept, issues: [] };
      const errors = (validate.errors ?? []).slice(0, mostIssues);
      return { body: kept, issues: errors.map((error) => issueOf(error, place)) };
    },
  };
}

/** Why a JSON Schema cannot be used; undefined: it can. */
export function findSchemaFault(schema: JsonObject): string | undefined {
  try {
    compileBodySchema(schema);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Whatever a body holds, checking it takes time in proportion to its size. */
function createAjv(): Ajv {
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    strictTypes: false,
    allowUnionTypes: true,
    ownProperties: true,
    code: { regExp: linearRegExp },
  });
  formatsPlugin.default(ajv);
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    error: { message: "must not hold the same item twice" },
    validate: (wanted: boolean, items: Json[]) => !wanted || new Set(items.map(canonical)).size === items.length,
  });
  return ajv;
}

/** Patterns run in linear time: no body can keep the process busy with one. */
function linearRegExp(pattern: string): { test(text: string): boolean } {
  const compiled = RE2JS.compile(pattern);
  return { test: (text) => compiled.matcher(text).find() };
}
// Ajv asks for it, to write code that stands alone; ours does not.
linearRegExp.code = "linearRegExp";

/** The same text for the same JSON value, whatever the order of its keys. */
function canonical(value: Json): string {
  return JSON.stringify(value, (_, part: Json) =>
    isJsonObject(part) ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))) : part,
  );
}

function issueOf({ instancePath, params, keyword, message }: ErrorObject, root: string): Issue {
  const place = instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((whole, part) => at(whole, /^\d+$/.test(part) ? Number(part) : part), root);
  if (keyword === "required") return { path: at(place, String(params["missingProperty"])), message: "is required" };
  if (keyword === "additionalProperties")
    return { path: at(place, String(params["additionalProperty"])), message: "is not declared" };
  if (keyword === "enum" && Array.isArray(params["allowedValues"])) {
    return {
      path: place,
      message: `must be one of ${params["allowedValues"].map((value) => JSON.stringify(value)).join(", ")}`,
    };
  }
  return { path: place, message: message ?? "does not fit" };
}
