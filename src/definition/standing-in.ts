import { isJsonObject, type Json } from "../json.ts";

/** Whether the value at the path is, lies in, or is a list with an expression: then only its result can tell. */
export function standsForMore(input: Json, path: readonly PropertyKey[]): boolean {
  let value: Json | undefined = input;
  for (const key of path) {
    if (isExpression(value)) return true;
    if (Array.isArray(value)) value = value[Number(key)];
    else if (isJsonObject(value)) value = Object.hasOwn(value, key) ? value[String(key)] : undefined;
    else return false;
  }
  return path.length > 0 && (isExpression(value) || (Array.isArray(value) && value.some(isExpression)));
}

/** Whether an expression stands anywhere in the value. */
export function holdsExpression(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.some(holdsExpression);
  if (value !== undefined && isJsonObject(value)) return Object.values(value).some(holdsExpression);
  return isExpression(value);
}

function isExpression(value: Json | undefined): boolean {
  return typeof value === "string" && (value.includes("{{") || value.includes("{%"));
}
