import type { Json, JsonObject } from "../json.ts";
import type { FieldType, FieldTypeInfo, Reading } from "./field-types.ts";

/** Who makes a change: what `createdBy` and `updatedBy` of a record say. */
export interface Actor {
  readonly source: "API" | "WORKFLOW" | "SYSTEM" | "MANUAL" | "IMPORT" | "WEBHOOK" | "EMAIL" | "CALENDAR";
  readonly name: string;
  readonly workspaceMemberId?: string | null;
}

/** The run that makes a change; null where no run does. Events carry it (DESIGN.md §4, Loops). */
export interface Origin {
  readonly runId: string;
  readonly workflowId: string;
  readonly depth: number;
}

export interface CrmField {
  /** Empty for the fields that every object has. */
  readonly id: string;
  /** As the API names it; of a relation the name of the key: `companyId`. */
  readonly name: string;
  readonly label: string;
  readonly description: string | null;
  readonly type: FieldType;
  readonly info: FieldTypeInfo;
  /** Quoted column. */
  readonly column: string;
  /** The same without quotes. */
  readonly columnName: string;
  readonly settings: JsonObject;
  /** What its values are read by. */
  readonly reading: Reading;
  readonly defaultValue: Json;
  readonly required: boolean;
  readonly unique: boolean;
  /** Whether an index of its own serves filters and sorting. */
  readonly indexed: boolean;
  /** Indexes over several fields that have it, or a sub-field of it: whole or main sub-field, or the one named. */
  readonly indexParts: readonly IndexPlace[];
  /** Whether full-text search looks into it. */
  readonly searchable: boolean;
  readonly standard: boolean;
  /** Of a relation: the object it points to, and the name without `Id` that paths follow. */
  readonly relation?: {
    readonly object: string;
    readonly name: string;
    /** Whether the record goes with the one it points to when that is destroyed; else the field is cleared. */
    readonly cascades: boolean;
    /** What it is seen as from the other side. */
    readonly inverse: { readonly name: string; readonly label: string } | null;
    /** The relation to several objects that it is one of: `target`. */
    readonly group: string | null;
  };
  /** How text of it is compared: e-mails without case, domains normalised. */
  readonly compares: "exactly" | "without-case" | "as-domain";
}

/** Where a field stands in an index over several. */
export interface IndexPlace {
  /** Null: the field itself, or its main sub-field. */
  readonly subField: string | null;
  readonly isFirst: boolean;
}

/** A relation seen from the object that it points to: the people of a company. */
export interface Inverse {
  readonly name: string;
  readonly label: string;
  /** The object whose records point here. */
  readonly object: string;
  /** The field there that does. */
  readonly field: CrmField;
}

export interface CrmObject {
  readonly id: string;
  readonly name: string;
  readonly plural: string;
  readonly label: string;
  readonly labelPlural: string;
  readonly description: string | null;
  readonly standard: boolean;
  /** Paths of which all must be the same, for each way in which two records may be duplicates. */
  readonly duplicateCriteria: readonly (readonly string[])[];
  /** Fields that together must be unique, where each of them has a value. */
  readonly uniqueTogether: readonly (readonly CrmField[])[];
  /** Schema-qualified and quoted. */
  readonly table: string;
  /** Unquoted. */
  readonly tableName: string;
  /** The workspace's IANA zone. */
  readonly timeZone: string;
  /** Its own fields and the ones every object has, in order. */
  readonly fields: readonly CrmField[];
  field(name: string): CrmField | undefined;
  /** The relation that a path follows by this name: `company`. */
  relation(name: string): CrmField | undefined;
  /** Columns of relations that point to it and that nobody sees: `table` is schema-qualified, both are quoted. */
  readonly hiddenPointers: ReadonlyArray<{ readonly table: string; readonly column: string }>;
  /** Relations that point to it, by their names on this side. */
  readonly inverses: readonly Inverse[];
  inverse(name: string): Inverse | undefined;
}

export interface Objects {
  readonly version: number;
  list(): readonly CrmObject[];
  find(name: string): CrmObject | undefined;
  findByPlural(plural: string): CrmObject | undefined;
}

/** Fields that every object has. Only `position` is written by callers. */
export const baseFields = [
  { name: "createdAt", label: "Created at", type: "DATE_TIME", column: "created_at" },
  { name: "updatedAt", label: "Updated at", type: "DATE_TIME", column: "updated_at" },
  { name: "deletedAt", label: "Deleted at", type: "DATE_TIME", column: "deleted_at" },
  { name: "position", label: "Position", type: "POSITION", column: "position" },
  { name: "createdBy", label: "Created by", type: "ACTOR", column: "created_by" },
  { name: "updatedBy", label: "Updated by", type: "ACTOR", column: "updated_by" },
] as const;

/** Fields that the CRM itself sets. */
export const systemFields: ReadonlySet<string> = new Set([
  "id",
  "createdAt",
  "updatedAt",
  "deletedAt",
  "createdBy",
  "updatedBy",
]);

/** How text of a field is compared, as its settings say. */
export function comparesOf({ settings }: { readonly settings?: JsonObject }): CrmField["compares"] {
  const compares = settings?.["compares"];
  return compares === "without-case" || compares === "as-domain" ? compares : "exactly";
}

/** SQL: every column of a record, of the table's alias. */
export function recordColumns(object: CrmObject, alias: string): string {
  return ["id", ...object.fields.map((field) => field.column)].map((column) => `${alias}.${column}`).join(", ");
}

/** SQL: a record as the API shows it, of the table's alias. */
export function recordJson(object: CrmObject, alias: string): string {
  const pairs = [
    `'id', ${alias}.id`,
    ...object.fields.map((field) => `'${field.name}', ${field.info.json(`${alias}.${field.column}`)}`),
  ];
  const chunks: string[] = [];
  // A function takes at most 100 arguments.
  for (let from = 0; from < pairs.length; from += 45)
    chunks.push(`jsonb_build_object(${pairs.slice(from, from + 45).join(", ")})`);
  return `(${chunks.join(" || ")})`;
}
