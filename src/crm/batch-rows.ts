import { StepError, type Issue } from "../errors.ts";
import { createId, isUuid } from "../ids.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import type { Matcher } from "./batch-statement.ts";
import { matchedParts, type Matched } from "./match.ts";
import type { WriteModes } from "./modes.ts";
import type { CrmField, CrmObject } from "./objects.ts";
import { isUnique } from "./refusals.ts";
import { checkValues, invalidValues, lackingFields, type FieldValue } from "./values.ts";

/** How rows find their records; `create`: whether a row without one makes it. */
export interface BatchKind {
  /** Undefined: rows find none. Empty: by id, else by the first unique field that has a value. */
  readonly match?: readonly string[];
  readonly create: boolean;
}

/** A row that was checked. */
export interface BatchRow {
  /** Places of the rows that it stands for; more than one where rows of the same record were folded. */
  readonly members: readonly number[];
  readonly values: readonly FieldValue[];
  readonly id: string | null;
  readonly matched: MatchedRow | null;
  /** Of the record that it makes; null: it makes none. */
  readonly newId: string | null;
  /** Fields that keep it from making one. */
  readonly lacking: readonly string[];
  /** How often others were faster. */
  readonly tries: number;
}

interface MatchedRow {
  readonly matcher: Matcher;
  /** What it matches by: rows with the same key are about the same record. */
  readonly key: string;
  /** Path → value. */
  readonly parts: readonly Matched[];
}

interface Source {
  readonly object: CrmObject;
  readonly rows: readonly JsonObject[];
  readonly modes?: WriteModes | undefined;
}

/** The rows of a batch, checked one by one; `refused` has the others by their places. */
export function prepareRows(
  { object, rows, modes }: Source,
  kind: BatchKind,
): { rows: BatchRow[]; refused: Map<number, StepError> } {
  const prepared: BatchRow[] = [];
  const refused = new Map<number, StepError>();
  for (const [n, row] of rows.entries()) {
    try {
      prepared.push(prepareRow(object, { n, row, cleared: clearedFields(modes) }, kind));
    } catch (error) {
      if (!(error instanceof StepError)) throw error;
      refused.set(n, error);
    }
  }
  return { rows: prepared, refused };
}

function clearedFields(modes: WriteModes = {}): string[] {
  return Object.keys(modes).filter((name) => modes[name] === "clear");
}

function prepareRow(
  object: CrmObject,
  { n, row, cleared }: { n: number; row: JsonObject; cleared: readonly string[] },
  kind: BatchKind,
): BatchRow {
  const { id = null, ...written } = row;
  const issues: Issue[] = [];
  if (id !== null && (typeof id !== "string" || !isUuid(id)))
    issues.push({ path: "id", message: "takes a UUID, or is left out" });
  for (const name of cleared) written[name] = null;
  const checked = checkValues(object, written, "");
  const { values } = checked;
  if (kind.match !== undefined)
    for (const name of lackingFields(object, values, "update"))
      issues.push({ path: name, message: "must have a value" });
  issues.push(...checked.issues);
  if (issues.length > 0) throw invalidValues(issues);
  const ownId = typeof id === "string" ? id.toLowerCase() : null;
  const lacking = kind.create ? lackingFields(object, values, "create") : [];
  const newId = kind.create && lacking.length === 0 ? (ownId ?? createId()) : null;
  return {
    members: [n],
    values,
    id: ownId,
    matched: matchedRow(object, { values, id: ownId }, kind),
    newId,
    lacking,
    tries: 0,
  };
}

const byId: Matcher = { key: "id", parts: [] };

function matchedRow(
  object: CrmObject,
  { values, id }: { values: readonly FieldValue[]; id: string | null },
  { match }: BatchKind,
): MatchedRow | null {
  if (match === undefined) return null;
  if (match.includes("id") || (match.length === 0 && id !== null)) {
    if (id === null) throw invalidValues([{ path: "id", message: "names the record that is changed" }]);
    return { matcher: byId, key: id, parts: [] };
  }
  const names =
    match.length > 0
      ? match
      : values
          .filter(isUnique)
          .slice(0, 1)
          .map(({ field }) => field.name);
  if (names.length === 0) return null;
  const parts = matchedParts({ object, match: names, values });
  const key = parts.map(({ path, part }) => `${path.join(".")}${part === null ? "!" : ""}`).join(" ");
  const matcher = { key, parts: parts.map(({ path, part }) => ({ path, isNull: part === null })) };
  // Rows that only the database sees to be the same meet there.
  const folded = parts.map(({ path: [name = ""], part }) => foldCase(part, object.field(name)));
  return { matcher, key: `${key} ${JSON.stringify(folded)}`, parts };
}

function foldCase(value: Json, field: CrmField | undefined): Json {
  if (typeof value !== "string" || field?.compares === "exactly") return value;
  const lower = value.toLowerCase();
  return field?.compares === "as-domain" ? lower.trim() : lower;
}

/**
 * Rows that are about the same record as one row, where what they write can be put together: a later
 * value stands above an earlier one. In the order of what they match by, which is the order in which
 * two batches then wait for each other.
 */
export function foldRows(rows: readonly BatchRow[], modes: WriteModes = {}): BatchRow[] {
  const mayFold = Object.values(modes).every((mode) => mode === "replace" || mode === "clear");
  const folded = new Map<string, BatchRow>();
  for (const row of rows) {
    const key = row.matched === null || !mayFold ? `#${row.members[0]}` : row.matched.key;
    const earlier = folded.get(key);
    folded.set(key, earlier === undefined ? row : foldTwo(earlier, row));
  }
  return [...folded.values()].toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : keyOf(a) > keyOf(b) ? 1 : 0));
}

function keyOf({ matched, newId }: BatchRow): string {
  return matched?.key ?? newId ?? "";
}

function foldTwo(earlier: BatchRow, later: BatchRow): BatchRow {
  const values = new Map(earlier.values.map((value) => [value.field.name, value]));
  for (const value of later.values) {
    const before = values.get(value.field.name);
    values.set(value.field.name, before === undefined ? value : foldValues(before, value));
  }
  return {
    ...earlier,
    members: [...earlier.members, ...later.members],
    values: [...values.values()],
    newId: earlier.newId ?? later.newId,
  };
}

function foldValues(earlier: FieldValue, later: FieldValue): FieldValue {
  const { info } = later.field;
  // What was cleared before has nothing but what is named now.
  const before = earlier.value ?? info.empty;
  const isComposite = info.comparesAs === "composite" && isJsonObject(before) && isJsonObject(later.value);
  return isComposite ? { ...later, value: { ...before, ...later.value } } : later;
}

/** The first row of each record, also of each that is to be made by an id, and the others, which come after it. */
export function firstOfEach(rows: readonly BatchRow[]): { now: BatchRow[]; later: BatchRow[] } {
  const seen = new Set<string>();
  const now: BatchRow[] = [];
  const later: BatchRow[] = [];
  for (const row of rows) {
    const keys = [row.matched?.key ?? [], row.newId ?? []].flat();
    if (keys.some((key) => seen.has(key))) later.push(row);
    else now.push(row);
    for (const key of keys) seen.add(key);
  }
  return { now, later };
}
