import { createHash } from "node:crypto";
import { textOf, type Json, type JsonObject } from "../json.ts";
import { identifier, literal } from "../sql.ts";
import { fieldTypes, type FieldType, type FieldTypeInfo } from "./field-types.ts";
import { comparable, indexExpression, subFieldText, uniqueExpression } from "./normalize.ts";
import { comparesOf } from "./objects.ts";
import { searchExpression } from "./search.ts";

/** A field as its table sees it: what the columns of `tandem.fields` say. */
export interface TableField {
  readonly type: FieldType;
  /** Unquoted, like the other names here. */
  readonly columnName: string;
  readonly settings: JsonObject;
  readonly defaultValue: Json;
  readonly required: boolean;
}

/** Where an object's records are. */
export interface Table {
  readonly schemaName: string;
  readonly tableName: string;
}

/** An index as it is wanted. Its name tells what it is for, so that it can be found again. */
export interface IndexDefinition {
  readonly name: string;
  readonly unique: boolean;
  /** `using … (…) where …` */
  readonly body: string;
  /** Of a unique one: SQL of each value that together must be unique. */
  readonly keys?: readonly string[];
}

const longestName = 63;

/** Suffixes of indexes: these have names of their own in the whole schema, constraints in their table. */
const ofIndexes: ReadonlySet<string> = new Set(["key", "idx", "search"]);

/**
 * Postgres's name for something of a column: of a constraint in the way that it names things itself; of an
 * index so that `order.lineCode` and `orderLine.code` have two.
 */
export function nameOf(tableName: string, column: string, suffix: string): string {
  const name = `${tableName}${ofIndexes.has(suffix) ? "__" : "_"}${column}_${suffix}`;
  if (name.length <= longestName) return name;
  const hash = createHash("sha1").update(name).digest("hex").slice(0, 8);
  return `${name.slice(0, longestName - suffix.length - hash.length - 2)}_${hash}_${suffix}`;
}

/** SQL: the table, quoted. */
export function qualified({ schemaName, tableName }: Table): string {
  return `${identifier(schemaName)}.${identifier(tableName)}`;
}

/** SQL: a column with its default; a composite and a list always have a value. */
export function columnSql(field: Omit<TableField, "required">): string {
  const info: FieldTypeInfo = fieldTypes[field.type];
  const value = field.defaultValue ?? info.empty;
  const parts = [identifier(field.columnName), info.column];
  if (value !== null) parts.push(`default ${constantSql(info, value)}`);
  if (info.empty !== null) parts.push("not null");
  return parts.join(" ");
}

/** SQL: a value that the metadata holds, as the column's type. */
export function constantSql(info: FieldTypeInfo, value: Json): string {
  if (value === null) return `null::${info.column}`;
  if (info.comparesAs === "composite") {
    const whole = { ...(info.empty as JsonObject), ...(value as JsonObject) };
    return `${literal(JSON.stringify(whole))}::jsonb`;
  }
  if (info.comparesAs === "json") return `${literal(JSON.stringify(value))}::jsonb`;
  if (Array.isArray(value))
    return `array[${value.map((item) => literal(textOf(item) ?? JSON.stringify(item))).join(", ")}]::${info.column}`;
  return `${literal(textOf(value) ?? JSON.stringify(value))}::${info.column}`;
}

/** SQL: `constraint … check …` of a field that must have a value. Deleted records are left alone. */
export function requiredSql({ tableName }: Table, field: Pick<TableField, "type" | "columnName">): string {
  return `constraint ${identifier(nameOf(tableName, field.columnName, "required"))} check (deleted_at is not null or ${filledSql(field)})`;
}

/** SQL over the row: whether the field has a value. */
export function filledSql({ type, columnName }: Pick<TableField, "type" | "columnName">): string {
  const info: FieldTypeInfo = fieldTypes[type];
  const column = identifier(columnName);
  if (info.main !== undefined) return `coalesce(${column} ->> ${literal(info.main)}, '') <> ''`;
  if (info.comparesAs === "composite") return `${column} <> ${constantSql(info, info.empty)}`;
  if (info.comparesAs === "list") return `cardinality(${column}) > 0`;
  if (info.comparesAs === "json") return `coalesce(${column}, 'null') not in ('null', '""', '[]')`;
  return info.comparesAs === "text" ? `coalesce(${column}, '') <> ''` : `${column} is not null`;
}

/**
 * SQL: `constraint … foreign key …` of a relation. What points to a destroyed record is changed by the
 * statement that destroys it, with events; what that statement could not see yet is refused here.
 */
export function foreignKeySql({ schemaName, tableName }: Table, columnName: string, target: string): string {
  const name = identifier(nameOf(tableName, columnName, "fkey"));
  return `constraint ${name} foreign key (${identifier(columnName)}) references ${identifier(schemaName)}.${identifier(target)} on delete no action`;
}

/** SQL: `constraint … check …` that a record points to one record of a relation to several objects at most. */
export function oneOfSql(table: Table, group: string, columnNames: readonly string[]): string {
  const columns = columnNames.map(identifier).join(", ");
  return `constraint ${identifier(oneOfName(table, group))} check (num_nonnulls(${columns}) <= 1) not valid`;
}

export function oneOfName({ tableName }: Table, group: string): string {
  return nameOf(tableName, snakeCase(group), "one_of");
}

/** The index that keeps a field's values unique. Deleted records keep no value from others. */
export function uniqueIndex({ tableName }: Table, field: TableField): IndexDefinition {
  const expression = uniqueExpression({
    column: identifier(field.columnName),
    info: fieldTypes[field.type],
    compares: comparesOf(field),
  });
  return uniqueBy(nameOf(tableName, field.columnName, "key"), [`(${expression})`]);
}

/**
 * The index of a field's own, for filters and sorting. It holds deleted records too: of an expression the
 * planner takes the frequencies of its values from a whole index only.
 */
export function fieldIndex({ tableName }: Table, field: TableField): IndexDefinition {
  const name = nameOf(tableName, field.columnName, "idx");
  if (field.type === "RELATION") return { name, unique: false, body: `(${identifier(field.columnName)}, id)` };
  if (fieldTypes[field.type].comparesAs === "list")
    return { name, unique: false, body: `using gin (${identifier(field.columnName)}) where deleted_at is null` };
  return { name, unique: false, body: `((${indexExpression(described(field))}), id)` };
}

/** A field in an index over several; of a composite one of its sub-fields. */
export interface IndexPart {
  readonly field: TableField;
  readonly subField: string | null;
}

/** An index over several fields. */
export function fieldsIndex(
  name: string,
  parts: readonly IndexPart[],
  { unique }: { unique: boolean },
): IndexDefinition {
  if (unique)
    return uniqueBy(
      name,
      parts.map((part) => `(${uniquePart(part)})`),
    );
  const expressions = parts.map(({ field, subField }) => `(${indexExpression(described(field), subField)})`);
  return { name, unique, body: `(${[...expressions, "id"].join(", ")})` };
}

function uniqueBy(name: string, keys: readonly string[]): IndexDefinition {
  return { name, unique: true, body: `(${keys.join(", ")}) where deleted_at is null`, keys };
}

function uniquePart({ field, subField }: IndexPart): string {
  const parts = described(field);
  if (subField === null || subField === parts.info.main) return uniqueExpression(parts);
  return comparable({ compares: "exactly" }, subFieldText(parts.column, subField));
}

/** The index of full-text search over the fields that it looks into; undefined: into none. */
export function searchIndex({ tableName }: Table, fields: readonly TableField[]): IndexDefinition | undefined {
  if (fields.length === 0) return undefined;
  const expression = searchExpression(fields.map(described));
  // Another choice of fields is another index: its name tells which.
  const hash = createHash("sha1").update(expression).digest("hex").slice(0, 8);
  // New words wait in a list, in kilobytes, which makes writing faster and which every search reads through.
  const body = `using gin ((${expression})) with (gin_pending_list_limit = 1024)`;
  return { name: nameOf(tableName, hash, "search"), unique: false, body };
}

/** SQL: makes an index; `concurrently`: while others write, outside any transaction. */
export function createIndexSql(table: Table, { name, unique, body }: IndexDefinition, concurrently = false): string {
  return `create ${unique ? "unique " : ""}index ${concurrently ? "concurrently " : ""}${identifier(name)} on ${qualified(table)} ${body}`;
}

interface Described {
  readonly type: FieldType;
  /** Quoted. */
  readonly column: string;
  readonly info: FieldTypeInfo;
  readonly compares: ReturnType<typeof comparesOf>;
}

function described(field: TableField): Described {
  return {
    type: field.type,
    column: identifier(field.columnName),
    info: fieldTypes[field.type],
    compares: comparesOf(field),
  };
}

/** Of a table or a column: what Postgres cuts off beyond its limit must not make two names one. */
const longestStored = 55;

/** What a table or column is called for a name of the API: in snake case, its end hashed where it is long. */
export function storedName(name: string): string {
  const snake = snakeCase(name);
  if (snake.length <= longestStored) return snake;
  const hash = createHash("sha1").update(name).digest("hex").slice(0, 8);
  return `${snake.slice(0, longestStored - hash.length - 1)}_${hash}`;
}

/** `bodyV2` → `body_v2`. */
export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toLowerCase();
}
