import { StepError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../json.ts";
import { createStatement, statementName, type Sql, type Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import { findTarget } from "./filter.ts";
import type { CrmObject } from "./objects.ts";
import { unknownField, type FieldValue } from "./values.ts";

/** A value that records must have to match. */
interface Matched {
  readonly path: string;
  /** SQL: the value as it compares. */
  readonly value: string;
  /** SQL over `t`. */
  readonly condition: string;
}

/**
 * The values that stand in the match fields, of composites those of the named sub-fields. Throws
 * `invalid-values` for a field without a value: it would match whatever record has none either.
 */
function matchedValues(
  statement: Statement,
  object: CrmObject,
  { match, values }: { match: readonly string[]; values: readonly FieldValue[] },
): Matched[] {
  return match.flatMap((name) => {
    const field = object.field(name);
    if (field === undefined) throw new StepError("invalid-values", `match: ${unknownField(object, name)}.`);
    const value = values.find((given) => given.field.name === name)?.value ?? null;
    const main = field.info.main;
    const parts: JsonObject = isJsonObject(value)
      ? main === undefined
        ? value
        : { [main]: value[main] ?? null }
      : { "": value };
    const isEmpty = Object.values(parts).every((part) => part === null || part === "");
    if (isEmpty) throw new StepError("invalid-values", `match: ${object.name}.${name} has no value to match by.`);
    return Object.entries(parts).map(([sub, part]) => {
      const path = sub === "" ? [name] : [name, sub];
      const target = findTarget(object, path, "t", "match");
      if (part === null) return { path: path.join("."), value: "null::text", condition: `${target.sql} is null` };
      const wanted = target.parameter(statement.param(part, target.type));
      return { path: path.join("."), value: wanted, condition: `${target.sql} = ${wanted}` };
    });
  });
}

/**
 * Waits until nobody else matches by the same values, for the rest of the transaction. A statement of
 * its own: one that also read would read as of before the wait (DURABILITY.md §12).
 */
export async function lockMatch(
  sql: Sql,
  workspace: Workspace,
  matching: { object: CrmObject; match: readonly string[]; values: readonly FieldValue[] },
): Promise<void> {
  const statement = createStatement();
  const { object } = matching;
  const matched = matchedValues(statement, object, matching);
  // As they compare, so that values that match the same records lock the same.
  const parts = matched.map(({ path, value }) => `${statement.param(path, "text")}, to_jsonb(${value})`);
  const scope = statement.param(`${workspace.id} ${object.name}`, "text");
  const text = `select pg_advisory_xact_lock(hashtextextended(${scope} || jsonb_build_array(${parts.join(", ")})::text, 0))`;
  await sql.query({ ...statement.query(text), name: statementName(text) });
}

/** The id of the oldest record that matches. */
export async function findMatch(
  sql: Sql,
  matching: { object: CrmObject; match: readonly string[]; values: readonly FieldValue[] },
): Promise<string | undefined> {
  const statement = createStatement();
  const { object } = matching;
  const conditions = matchedValues(statement, object, matching).map(({ condition }) => condition);
  const text = `select t.id from ${object.table} t where t.deleted_at is null and ${conditions.join(" and ")} order by t.created_at, t.id limit 1`;
  const { rows } = await sql.query<{ id: string }>(statement.query(text));
  return rows[0]?.id;
}
