import { at as placeOf, type Issue } from "../../errors.ts";
import { isJsonObject, textOf, type JsonObject } from "../../json.ts";
import { checkConnection } from "../check-connection.ts";
import { checkGives } from "../gives.ts";
import type { CheckContext } from "../step-kind.ts";

/** What activation refuses of an `http-request` beyond its shape. */
export function checkHttpInput(written: JsonObject, context: CheckContext): Issue[] {
  const { at } = context;
  return [
    ...checkConnection(written, context),
    ...checkUrl(textOf(written["url"]), placeOf(at, "url")),
    ...checkGives(written["gives"], placeOf(at, "gives")),
    ...checkPagination(written, placeOf(at, "pagination")),
  ];
}

/** What is written out of it; what expressions put in is judged when it is sent. */
function checkUrl(url: string | undefined, path: string): Issue[] {
  if (url === undefined || url.startsWith("{{")) return [];
  if (/^http:/i.test(url))
    return [{ path, message: "a URL without a connection is https: plain http needs a connection that allows it" }];
  if (!/^https:\/\//i.test(url)) return [{ path, message: "a URL is whole: https://host/path" }];
  if (/^https:\/\/[^/?#{]*@/i.test(url))
    return [{ path, message: "a URL cannot carry a user or password: use a connection's authentication" }];
  return [];
}

function checkPagination(written: JsonObject, path: string): Issue[] {
  const pagination = written["pagination"];
  if (pagination === undefined || !isJsonObject(pagination) || pagination["in"] !== "body") return [];
  if (written["body"] !== undefined || written["form"] !== undefined) return [];
  return [{ path: placeOf(path, "in"), message: `"body" needs a "body" or "form" that the page's field goes into` }];
}
