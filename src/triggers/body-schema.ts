import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import formatsPlugin from "ajv-formats";
import { RE2JS } from "re2js";
import { at, type Issue } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";

/** Checks values against a declared JSON Schema. */
export interface BodySchema {
  /** `fromText`: the values came as form or query text, and become the types that are declared. */
  check(body: Json, options: { fromText: boolean }): { readonly body: Json; readonly issues: readonly Issue[] };
}

/** Patterns run in linear time: a body cannot keep the process busy. */
function linearRegExp(pattern: string): { test(text: string): boolean } {
  const compiled = RE2JS.compile(pattern);
  return { test: (text) => compiled.matcher(text).find() };
}
linearRegExp.code = "linearRegExp";

/** Compiles a JSON Schema. Throws an Error that says what is wrong with it. */
export function compileBodySchema(schema: JsonObject): BodySchema {
  const ajv = new Ajv({
    allErrors: true,
    strict: true,
    strictRequired: false,
    strictTypes: false,
    allowUnionTypes: true,
    validateFormats: true,
    ownProperties: true,
    code: { regExp: linearRegExp },
  });
  formatsPlugin.default(ajv);
  const validate: ValidateFunction = ajv.compile(schema);
  return {
    check(body, { fromText }) {
      const fitted = fit(schema, body, fromText);
      if (validate(fitted)) return { body: fitted, issues: [] };
      return { body: fitted, issues: (validate.errors ?? []).slice(0, 100).map(issueOf) };
    },
  };
}

/**
 * Text of a form becomes the declared type where it can; a property declared `string` takes an integer
 * and makes it text, exactly (ids).
 */
function fit(schema: unknown, value: Json, fromText: boolean): Json {
  if (!isJsonObject(schema)) return value;
  const { type, properties, items } = schema;
  if (isJsonObject(value) && isJsonObject(properties)) {
    const entries = Object.entries(value).map(([key, part]) => [key, Object.hasOwn(properties, key) ? fit(properties[key], part, fromText) : part]);
    return Object.fromEntries(entries) as JsonObject;
  }
  if (Array.isArray(value)) return value.map((item) => fit(items, item, fromText));
  if (fromText && type === "array" && typeof value === "string") return [fit(items, value, fromText)];
  if (type === "string" && typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return fromText && typeof value === "string" ? fromForm(type, value) : value;
}

function fromForm(type: unknown, text: string): Json {
  if ((type === "number" && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) || (type === "integer" && /^-?\d+$/.test(text))) {
    return Number.isFinite(Number(text)) ? Number(text) : text;
  }
  if (type === "boolean" && /^(true|on|1|yes)$/i.test(text)) return true;
  if (type === "boolean" && /^(false|off|0|no)$/i.test(text)) return false;
  return text;
}

function issueOf(error: ErrorObject): Issue {
  const segments = error.instancePath.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const place = segments.reduce((whole, part) => at(whole, /^\d+$/.test(part) ? Number(part) : part), "body");
  const params = error.params as { missingProperty?: string; additionalProperty?: string; format?: string };
  if (params.missingProperty !== undefined) return { path: at(place, params.missingProperty), message: "is required" };
  if (params.additionalProperty !== undefined) return { path: at(place, params.additionalProperty), message: "is not declared" };
  return { path: place, message: error.message ?? "does not fit" };
}
