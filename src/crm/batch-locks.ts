import { createStatement, type Sql } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import type { BatchRow } from "./batch-rows.ts";
import { addInput, givenSql, type Matcher, type StatementRow } from "./batch-statement.ts";
import { lockKeySql, lockScope } from "./match.ts";
import type { CrmObject } from "./objects.ts";
import { findTarget } from "./target.ts";

/** Match fields that no unique index guards are locked by their values, in order, in a statement before the one that reads. */
export async function lockMatches(
  sql: Sql,
  { workspace, object }: { workspace: Workspace; object: CrmObject },
  rows: readonly BatchRow[],
): Promise<void> {
  const unguarded = matchersOf(rows).filter(({ parts }) => parts.length > 0 && !isGuarded(object, parts));
  if (unguarded.length === 0) return;
  const statement = createStatement();
  addInput(statement, rows.map(toStatementRow));
  const scope = statement.param(lockScope(workspace, object), "text");
  const keys = unguarded.map(({ key, parts }) => {
    const values = parts.map(({ path, isNull }) => {
      const place = statement.param(path.join("."), "text");
      if (isNull) return { path: place, value: "null::text" };
      const target = findTarget(object, path, "t", "match");
      return { path: place, value: target.parameter(givenSql(statement.param(path, "text[]"), target.type)) };
    });
    return `select ${lockKeySql(scope, values)} as key from input i where i.by = ${statement.param(key, "text")}`;
  });
  const { text, values } = statement.query(
    `select pg_advisory_xact_lock(k.key) from (select distinct key from (${keys.join(" union all ")}) a order by key offset 0) k`,
  );
  await sql.query(text, values);
}

function isGuarded(object: CrmObject, parts: Matcher["parts"]): boolean {
  const [first] = parts;
  return parts.length === 1 && first?.isNull === false && object.field(first.path[0] ?? "")?.unique === true;
}

/** How the rows find their records, each way once. */
export function matchersOf(rows: readonly BatchRow[]): Matcher[] {
  return [
    ...new Map(
      rows.flatMap(({ matched }) => (matched === null ? [] : [[matched.matcher.key, matched.matcher]])),
    ).values(),
  ];
}

/** A row as the statement reads it. */
export function toStatementRow({ members, id, matched, newId, values }: BatchRow): StatementRow {
  return {
    n: members[0] ?? 0,
    id,
    by: matched?.matcher.key ?? null,
    newId,
    v: Object.fromEntries(values.map(({ field, value }) => [field.name, value])),
  };
}
