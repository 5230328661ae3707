import { StepError } from "../errors.ts";
import { literal, type Statement } from "../sql.ts";
import type { FieldType } from "./field-types.ts";
import { subFieldText } from "./normalize.ts";
import type { CrmField, CrmObject } from "./objects.ts";
import { FieldFault, parseText } from "./plain-values.ts";

/** A field that full-text search looks into. */
export interface SearchedField {
  readonly type: FieldType;
  /** Quoted. */
  readonly column: string;
}

/** Of a long text: an index entry has its limit, and nobody seeks a record by its last page. */
const searchedCharacters = 10_000;

const subTexts = (column: string, names: readonly string[]): string =>
  names.map((name) => `coalesce(${subFieldText(column, name)}, '')`).join(` || ' ' || `);

/** SQL: the words of a column, for each type that has some. */
const wordsOf: Partial<Record<FieldType, (column: string) => string>> = {
  TEXT: (column) => column,
  SELECT: (column) => column,
  NUMBER: (column) => `${column}::text`,
  UUID: (column) => `${column}::text`,
  MULTI_SELECT: (column) => `tandem.joined(${column})`,
  ARRAY: (column) => `tandem.joined(${column})`,
  FULL_NAME: (column) => subTexts(column, ["firstName", "lastName"]),
  EMAILS: (column) => subTexts(column, ["primaryEmail", "additionalEmails"]),
  PHONES: (column) => `tandem.phone_words(${column})`,
  LINKS: linkWords,
  ADDRESS: (column) =>
    subTexts(
      column,
      ["Street1", "Street2", "Postcode", "City", "State", "Country"].map((part) => `address${part}`),
    ),
  RICH_TEXT: (column) => subFieldText(column, "markdown"),
  ACTOR: (column) => subFieldText(column, "name"),
};

/** Scheme and `www.` are in every link: as words they would find all. */
function linkWords(column: string): string {
  const others = `jsonb_path_query_array(${column}, '$.secondaryLinks[*].*')::text`;
  const links = `${subTexts(column, ["primaryLinkLabel", "primaryLinkUrl"])} || ' ' || ${others}`;
  return `regexp_replace(${links}, ${literal("(https?://)(www\\.)?")}, ' ', 'gi')`;
}

/** Whether full-text search can look into fields of a type. */
export function isSearchable(type: FieldType): boolean {
  return wordsOf[type] !== undefined;
}

/**
 * SQL: a record's words, as its search index is built and as a search must write them to find that index.
 * `fields` are the object's searchable ones, in their order; there is at least one.
 */
export function searchExpression(fields: readonly SearchedField[], alias = ""): string {
  const texts = fields.flatMap(({ type, column }) => {
    const words = wordsOf[type]?.(alias === "" ? column : `${alias}.${column}`);
    return words === undefined ? [] : [`left(coalesce(${words}, ''), ${searchedCharacters})`];
  });
  return `to_tsvector('simple', tandem.fold(${texts.join(` || ' ' || `)}))`;
}

/** SQL over the alias `t`: that a record has words beginning with all of those sought. Throws `invalid-search`. */
export function foundSql(statement: Statement, object: CrmObject, search: string): string {
  return `${recordWords(object)} @@ tandem.search_query(${soughtParameter(statement, object, search)}, true)`;
}

/**
 * Adds CTEs of which the last, `ranked` (`id`, `rank`), has the records that match best. Those with the
 * whole words are looked for first, and the first `most` are taken, since an index has no such order; only
 * where there are fewer, those with the beginnings of them. What a record is called counts more than what
 * else is said of it. Gives SQL: how many match in all, null where there were too many to look at each.
 */
export function addRanking(
  statement: Statement,
  object: CrmObject,
  { search, restriction, most }: { search: string; restriction: string; most: number },
): string {
  const sought = soughtParameter(statement, object, search);
  const [whole, begun] = [false, true].map((prefixes) => `tandem.search_query(${sought}, ${prefixes})`);
  const found = `select t.id from ${object.table} t where ${restriction} and ${recordWords(object)} @@`;
  statement.with("whole", `${found} ${whole} limit ${most}`);
  statement.with("begun", `${found} ${begun} and (select count(*) from whole) < ${most} limit ${most}`);
  const title = searchedFields(object).find(isTitle);
  const words = title === undefined ? "''::tsvector" : searchExpression([title], "t");
  statement.with(
    "ranked",
    `select f.id, case when w.words @@ ${whole} then 4 when w.words @@ ${begun} then 2 else 0 end + f.is_whole as rank
      from (select id, max(is_whole) as is_whole from (select id, 1 as is_whole from whole union all select id, 0 from begun) u group by id) f
      join ${object.table} t on t.id = f.id, lateral (select ${words} as words) w`,
  );
  const isAll = ["whole", "begun"].map((source) => `(select count(*) from ${source}) < ${most}`);
  return `case when ${isAll.join(" and ")} then (select count(*) from ranked) end`;
}

function searchedFields(object: CrmObject): CrmField[] {
  return object.fields.filter((field) => field.searchable);
}

/** What a record is called by. */
function isTitle({ type, name }: CrmField): boolean {
  return type === "FULL_NAME" || name === "name" || name === "title";
}

function recordWords(object: CrmObject): string {
  return searchExpression(searchedFields(object), "t");
}

function soughtParameter(statement: Statement, object: CrmObject, search: string): string {
  if (!object.fields.some((field) => field.searchable))
    throw new StepError("invalid-search", `search: no field of ${object.name} is searchable.`);
  return statement.param(parseSearch(search), "text");
}

/** More words than anybody types make no better search. */
const longestSearch = 1_000;

function parseSearch(search: string): string {
  try {
    return parseText(search).slice(0, longestSearch).toWellFormed();
  } catch (error) {
    if (!(error instanceof FieldFault)) throw error;
    throw new StepError("invalid-search", `search ${error.message}.`, { cause: error });
  }
}
