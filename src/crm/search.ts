import { literal } from "../sql.ts";
import type { FieldType } from "./field-types.ts";
import { subFieldText } from "./normalize.ts";

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
