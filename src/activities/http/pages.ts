import { StepError } from "../../errors.ts";
import type { Answer } from "../../http/client.ts";
import { findLink } from "../../http/link.ts";
import { isJsonObject, type Json } from "../../json.ts";
import type { Pagination } from "./input.ts";
import { textOfHeader } from "./judge.ts";

/** What asks for a page: a number or cursor, or the page's own URL. Null: the first one. */
export type PageMark = { readonly value: string | number } | { readonly url: string } | null;

/** A page that was read. */
export interface ReadPage {
  readonly answer: Answer;
  readonly body: Json;
  /** How many items the pages so far had, this one's among them. */
  readonly itemsSoFar: number;
  readonly items: readonly Json[];
}

/** What a page adds to the request. */
export function fieldsOf(
  pagination: Pagination,
  mark: PageMark,
): {
  query: Record<string, string>;
  body: Record<string, string | number>;
  url?: string;
} {
  if (mark !== null && "url" in mark) return { query: {}, body: {}, url: mark.url };
  const value = mark?.value ?? ("start" in pagination ? pagination.start : undefined);
  const parameter = "parameter" in pagination ? pagination.parameter : undefined;
  if (value === undefined || parameter === undefined || !("in" in pagination)) return { query: {}, body: {} };
  return pagination.in === "body"
    ? { query: {}, body: { [parameter]: value } }
    : { query: { [parameter]: String(value) }, body: {} };
}

/** The items of a page. Throws StepError `unexpected-body` where there is no list. */
export function itemsOf(body: Json, { items: path }: Pagination): Json[] {
  const items = path === undefined ? body : valueAt(body, path);
  if (Array.isArray(items)) return items;
  // An empty page often has none.
  if (items === undefined || items === null) return [];
  throw new StepError(
    "unexpected-body",
    `The page's items are no list: ${path === undefined ? `the answer is none. Name its place in "items"` : `"${path}" is ${typeof items}`}.`,
  );
}

/** The page after this one; undefined: it was the last. Throws StepError where the target leads in a circle. */
export function nextPage(pagination: Pagination, mark: PageMark, page: ReadPage): PageMark | undefined {
  const next = nextMark(pagination, mark, page);
  if (next !== undefined && pagination.kind !== "until-empty" && JSON.stringify(next) === JSON.stringify(mark))
    throw new StepError(
      "pagination-stuck",
      `${page.answer.url.host} gave the same next page twice, so that there would be no end. Check "pagination".`,
    );
  return next;
}

function nextMark(pagination: Pagination, mark: PageMark, page: ReadPage): PageMark | undefined {
  switch (pagination.kind) {
    case "link": {
      const url = findLink(textOfHeader(page.answer.headers["link"]), "next");
      // Where it leads is meant from the page it stands on.
      return url === undefined ? undefined : { url: urlFrom(url, page, ["the next of its Link header", ""]) };
    }
    case "cursor": {
      if (hasNoMore(pagination.more, page.body)) return undefined;
      const next = valueAt(page.body, pagination.next);
      if (next === undefined || next === null || next === "" || next === false) return undefined;
      if (typeof next !== "string" && typeof next !== "number")
        throw new StepError("unexpected-body", `The next page's cursor, "${pagination.next}", is ${kindOf(next)}.`);
      if (pagination.parameter !== undefined) return { value: next };
      return {
        url: urlFrom(String(next), page, [`"${pagination.next}"`, ` A cursor needs a "parameter" to go into.`]),
      };
    }
    case "page":
      if (page.items.length === 0 || hasNoMore(pagination.more, page.body)) return undefined;
      return { value: numberOf(mark, pagination.start) + 1 };
    case "offset":
      if (page.items.length === 0 || hasNoMore(pagination.more, page.body)) return undefined;
      return { value: pagination.start + page.itemsSoFar };
    case "until-empty":
      return page.items.length === 0 ? undefined : null;
  }
}

/** The next page's URL, as it is meant from this one's. Throws StepError `unexpected-body` for what is none. */
function urlFrom(text: string, { answer }: ReadPage, [what, advice]: readonly [string, string]): string {
  if (URL.canParse(text, answer.url.href)) return new URL(text, answer.url).href;
  throw new StepError("unexpected-body", `${answer.url.host} names a next page that is no URL: ${what}.${advice}`);
}

function hasNoMore(path: string | undefined, body: Json): boolean {
  if (path === undefined) return false;
  const more = valueAt(body, path);
  return more === false || more === null || more === undefined || more === "" || more === 0;
}

function numberOf(mark: PageMark, start: number): number {
  return mark !== null && "value" in mark ? Number(mark.value) : start;
}

/** What a path leads to: keys of objects; in a list a number, `first` or `last`. */
export function valueAt(body: Json, path: string): Json | undefined {
  return path.split(".").reduce<Json | undefined>((value, key) => {
    if (Array.isArray(value)) return itemAt(value, key);
    return value !== undefined && isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }, body);
}

function itemAt(list: readonly Json[], key: string): Json | undefined {
  if (key === "last") return list.at(-1);
  return key === "first" ? list[0] : /^-?\d+$/.test(key) ? list.at(Number(key)) : undefined;
}

function kindOf(value: Json): string {
  return Array.isArray(value) ? "a list" : typeof value === "boolean" ? String(value) : "an object";
}
