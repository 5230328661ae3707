import { sentence } from "../../definition/suggest.ts";
import type { Issue } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import type { CrmObject } from "../objects.ts";
import { FieldFault, writeDouble } from "../plain-values.ts";
import { createRecent, type Recent } from "../../recent.ts";
import type { Refusal } from "../batch.ts";
import { unguardFormula } from "./csv-text.ts";
import type { Cell, FileRow } from "./file-rows.ts";
import type { ImportSettings } from "./settings.ts";
import { findColumns, type Column, type Columns, type TargetContext } from "./targets.ts";
import { readText, type TextReading } from "./texts.ts";

/** A relation of a row that is found by what is unique in the other object. */
export interface Lookup {
  readonly column: Column;
  readonly value: string;
}

/** What a row of a file asks for. */
export interface ReadRecord {
  readonly values: JsonObject;
  readonly lookups: readonly Lookup[];
}

/** A row that is not written. */
export interface Refused {
  readonly refusal: Refusal;
}

export interface RecordReading extends TargetContext, Pick<TextReading, "parseJson"> {
  readonly settings: ImportSettings;
  /** Of CSV, from its first row. */
  readonly columns: readonly Column[];
  /** How many cells its first row has. */
  readonly width: number;
  /** Of JSON lines, by the keys that a line has. */
  readonly known: KnownColumns;
}

type Found = { readonly columns: Columns; readonly issues: readonly Issue[] };
type KnownColumns = Recent<string, Found>;

/** Where the keys of JSON lines go, found once for lines that have the same. */
export function createKnownColumns(): KnownColumns {
  return createRecent(100);
}

/** The values of a row, or why it is refused. */
export function readRecord({ content }: FileRow, reading: RecordReading): ReadRecord | Refused {
  if (content.kind === "fault") return unreadable(content.fault);
  if (content.kind === "cells") return readCells(content.cells, reading);
  return readObject(content.object, reading);
}

function readCells(cells: readonly Cell[], reading: RecordReading): ReadRecord | Refused {
  const { width, columns } = reading;
  if (cells.length < width || cells.slice(width).some((cell) => cell !== null))
    return unreadable(`has ${cells.length} cells, but the first row has ${width}`);
  const building = begin(reading);
  for (const column of columns) {
    const cell = cells[column.position] ?? null;
    addValue(building, column, () => cellValue(cell, column, reading));
  }
  return finish(building);
}

/** The value of a cell; undefined: it says nothing about the field. */
function cellValue(cell: Cell, { target }: Column, reading: RecordReading): Json | undefined {
  const { settings, parseJson } = reading;
  if (cell === null || cell.trim() === "") {
    if (settings.empty === "skip") return undefined;
    // What is written as "" is a text without characters, and elsewhere nothing.
    const isText = target.kind === "value" && readsAsWritten.has(target.text);
    return cell !== null && isText ? cell : null;
  }
  if (target.kind !== "value") return cell.trim();
  const { field, part, text } = target;
  if (part === undefined && field.info.comparesAs === "composite") return wholeComposite(cell, { ...reading, target });
  return readText(readsAsWritten.has(text) ? unguardFormula(cell) : cell, text, {
    field,
    conventions: settings,
    parseJson,
  });
}

const readsAsWritten: ReadonlySet<string> = new Set(["text", "TEXT"]);

/** A composite in one cell: an object in JSON, or its main part alone. */
function wholeComposite(
  cell: string,
  { parseJson, target }: RecordReading & { target: Extract<Column["target"], { kind: "value" }> },
): Json {
  const { main, subFields } = target.field.info;
  if (cell.trimStart().startsWith("{")) {
    try {
      return parseJson(cell);
    } catch {
      // Not JSON: an address or a link may well begin like that.
    }
  }
  if (main !== undefined) return { [main]: cell };
  const parts = Object.keys(subFields ?? {}).map((part) => `${target.field.name}.${part}`);
  throw new FieldFault(`has several parts: give each a column of its own, such as ${parts.join(", ")}`);
}

function readObject(object: JsonObject, reading: RecordReading): ReadRecord | Refused {
  const { columns, issues } = columnsOf(object, reading);
  const building = begin(reading);
  building.issues.push(...issues);
  const entries = Object.values(object);
  for (const column of columns.read)
    addValue(building, column, () => jsonValue(entries[column.position] ?? null, column, reading));
  return finish(building);
}

/** Each line may have other keys, and need not have all that the mapping names. */
function columnsOf(object: JsonObject, reading: RecordReading): Found {
  const names = Object.keys(object);
  const key = JSON.stringify(names);
  const known = reading.known.get(key);
  if (known !== undefined) return known;
  const mapping = Object.fromEntries(
    Object.entries(reading.settings.mapping).filter(([name]) => Object.hasOwn(object, name)),
  );
  const found = findColumns(reading, names, mapping);
  reading.known.set(key, found);
  return found;
}

/** Kinds of which a line may have the number as text: the strict reading of JSON leaves long ones so. */
const numberKinds: ReadonlySet<string> = new Set(["micros", "number", "POSITION"]);

function jsonValue(value: Json, { target }: Column, { settings, parseJson }: RecordReading): Json {
  if (target.kind !== "value" || !numberKinds.has(target.text)) return value;
  const written = typeof value === "number" && target.text === "micros" ? writeDouble(value) : value;
  if (typeof written !== "string") return value;
  const conventions = { ...settings, numbers: "point" as const };
  return readText(written, target.text, { field: target.field, conventions, parseJson });
}

interface Building {
  readonly object: CrmObject;
  readonly values: JsonObject;
  readonly lookups: Lookup[];
  readonly issues: Issue[];
}

function begin({ object }: RecordReading): Building {
  return { object, values: {}, lookups: [], issues: [] };
}

function addValue(building: Building, column: Column, read: () => Json | undefined): void {
  const { object, values, lookups, issues } = building;
  const { target, name } = column;
  try {
    const value = read();
    if (value === undefined) return;
    if (target.kind === "id") {
      if (value !== null) values["id"] = value;
    } else if (target.kind === "value") addPart(values, target, value);
    else if (value === null) values[target.field.name] = null;
    else if (typeof value === "string") lookups.push({ column, value });
    else issues.push({ path: name, message: `takes the ${target.path.join(".")} of a ${target.object.name}, as text` });
  } catch (error) {
    if (!(error instanceof FieldFault)) throw error;
    const place = target.kind === "value" ? pathOf(target) : name;
    issues.push({ path: place, message: `${object.name}.${place} ${error.message}` });
  }
}

function pathOf({ field, part }: Extract<Column["target"], { kind: "value" }>): string {
  return part === undefined ? field.name : `${field.name}.${part}`;
}

function addPart(values: JsonObject, { field, part }: Extract<Column["target"], { kind: "value" }>, value: Json): void {
  const before = values[field.name];
  if (part !== undefined) values[field.name] = { ...(isJsonObject(before) ? before : {}), [part]: value };
  // The whole beside its parts: of both what they name.
  else if (isJsonObject(before) && isJsonObject(value)) values[field.name] = { ...value, ...before };
  else values[field.name] = value;
}

function finish({ values, lookups, issues }: Building): ReadRecord | Refused {
  if (issues.length === 0) return { values, lookups };
  const sentences = issues.map(({ path, message }) => (message.includes(path) ? message : `${path}: ${message}`));
  const message = sentence(sentences.join("; "));
  return { refusal: { code: "invalid-values", message, issues } };
}

function unreadable(fault: string): Refused {
  return { refusal: { code: "unreadable-row", message: `The row ${fault}.` } };
}
