import { StepError } from "../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../json.ts";
import { createStatement, statementName, type Sql, type Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { findTarget, type Target } from "./filter.ts";
import type { CrmObject } from "./objects.ts";
import { equalSql } from "./target.ts";
import { unknownField, type FieldValue } from "./values.ts";

/** What records must have at a path to match. */
export interface Matched {
  readonly path: readonly string[];
  readonly part: Json;
}

interface Matching {
  readonly object: CrmObject;
  readonly match: readonly string[];
  readonly values: readonly FieldValue[];
}

/**
 * The values that stand in the match fields, of composites those of the named sub-fields. Throws
 * `invalid-values` for a field without a value: it would match whatever record has none either.
 */
export function matchedParts({ object, match, values }: Matching): Matched[] {
  return match.flatMap((name) => {
    const field = object.field(name);
    if (field === undefined) throw new StepError("invalid-values", `match: ${unknownField(object, name)}.`);
    const value = values.find((given) => given.field.name === name)?.value ?? null;
    const main = field.info.main;
    const parts: JsonObject =
      isJsonObject(value) && field.info.comparesAs === "composite"
        ? main === undefined
          ? value
          : { [main]: value[main] ?? null }
        : { "": value };
    const isEmpty = Object.values(parts).every((part) => part === null || part === "");
    if (isEmpty) throw new StepError("invalid-values", `match: ${object.name}.${name} has no value to match by.`);
    return Object.entries(parts).map(([sub, part]) => ({ path: sub === "" ? [name] : [name, sub], part }));
  });
}

/** SQL over `t`: that a record has the value; `value` is SQL of the path's type, undefined for null. */
export function matchSql(target: Target, value: string | undefined): string {
  return value === undefined ? `${target.sql} is null` : equalSql(target, value);
}

/** SQL: the key under which matching by these values is locked. As they compare, so that the same lock the same. */
export function lockKeySql(scope: string, parts: ReadonlyArray<{ path: string; value: string }>): string {
  const pairs = parts.map(({ path, value }) => `${path}, to_jsonb(${value})`);
  // Few locks in all: a batch of thousands must not fill Postgres's table of them.
  const bucket = `(hashtextextended(jsonb_build_array(${pairs.join(", ")})::text, 0) & 1023)`;
  return `hashtextextended(${scope} || ${bucket}::text, 0)`;
}

/** What the locks of an object's matches have in common. */
export function lockScope(workspace: Workspace, object: CrmObject): string {
  return `${workspace.id} ${object.name} `;
}

/**
 * Waits until nobody else matches by the same values, for the rest of the transaction. A statement of
 * its own: one that also read would read as of before the wait (DURABILITY.md §12).
 */
export async function lockMatch(sql: Sql, workspace: Workspace, matching: Matching): Promise<void> {
  const statement = createStatement();
  const { object } = matching;
  const parts = matchedParts(matching).map(({ path, part }) => ({
    path: statement.param(path.join("."), "text"),
    value: parameterOf(statement, findTarget(object, path, "t", "match"), part) ?? "null::text",
  }));
  const scope = statement.param(lockScope(workspace, object), "text");
  const text = `select pg_advisory_xact_lock(${lockKeySql(scope, parts)})`;
  await sql.query({ ...statement.query(text), name: statementName(text) });
}

/**
 * The oldest record that matches, locked so that it goes on doing so; null: none does. Undefined: the one
 * that did is another by now, and what it had another may have: only the next statement sees that.
 */
export async function findMatch(sql: Sql, matching: Matching): Promise<{ id: string | null } | undefined> {
  const statement = createStatement();
  const { object } = matching;
  const conditions = matchedParts(matching).map(({ path, part }) => {
    const target = findTarget(object, path, "t", "match");
    return matchSql(target, part === null ? undefined : statement.param(part, target.type));
  });
  const oldest = `select t.id from ${object.table} t where t.deleted_at is null and ${conditions.join(" and ")} order by t.created_at, t.id limit 1`;
  statement.with("locked", `${oldest} for update of t`);
  const text = `select (${oldest}) as seen, (select l.id from locked l) as id`;
  const { rows } = await sql.query<{ seen: string | null; id: string | null }>(statement.query(text));
  const [found] = rows;
  return found === undefined || found.seen !== found.id ? undefined : { id: found.id };
}

function parameterOf(statement: Statement, target: Target, part: Json): string | undefined {
  return part === null ? undefined : target.parameter(statement.param(part, target.type));
}
