import { ProblemError } from "../../errors.ts";
import { sqlState, type Sql } from "../../sql.ts";
import { filledSql, qualified, type IndexDefinition, type Table, type TableField } from "../ddl.ts";
import type { Failure } from "./stored.ts";

const mostNamed = 10;

/** Something stands against what is wanted, mostly records. */
export class BrokenRows extends Error {
  override readonly name = "BrokenRows";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Why something wanted was given up, as a request hears it: a 409 with the records that stand against it. */
export function failureProblem({ code, message, rows = [] }: Failure): ProblemError {
  const issues = rows.map((row) => ({ path: row, message: "stands against it" }));
  return new ProblemError(409, code, message, { issues });
}

/**
 * Why something cannot be brought about, however often it is tried; undefined for what the next try may
 * not meet: locks, connections, space.
 */
export function lastingFailure(error: unknown): Failure | undefined {
  if (error instanceof BrokenRows) return error.failure;
  // Values that no index takes, or that are out of range.
  if (!/^(22|23|54)/.test(sqlState(error)?.code ?? "")) return undefined;
  const said = error instanceof Error ? error.message : "";
  return {
    code: "records-stand-against-it",
    message: `Records hold what cannot be so: Postgres says "${said}". Change them, then ask again.`,
  };
}

/** Records that have no value where each must have one. */
export async function findUnfilled(
  sql: Sql,
  table: Table,
  field: Pick<TableField, "type" | "columnName"> & { readonly name: string },
): Promise<BrokenRows> {
  const broken = `deleted_at is null and not (${filledSql(field)})`;
  const { rows } = await sql.query<{ ids: string[]; count: number }>(
    `select (select count(*) from ${qualified(table)} where ${broken}) as count,
       array(select id::text from ${qualified(table)} where ${broken} order by id limit ${mostNamed}) as ids`,
  );
  const { ids = [], count = 0 } = rows[0] ?? {};
  return new BrokenRows({
    code: "records-without-value",
    message: `${count} ${count === 1 ? "record has" : "records have"} no ${field.name}: ${listed(ids, count)}. Give them one, then ask again.`,
    rows: ids,
  });
}

/** Records that have the same where no two may. */
export async function findDuplicates(
  sql: Sql,
  table: Table,
  { index, names }: { index: IndexDefinition; names: readonly string[] },
): Promise<BrokenRows> {
  const values = (index.keys ?? []).join(", ");
  const { rows } = await sql.query<{ ids: string[]; count: number }>(
    `with d as (select array_agg(id::text order by created_at, id) as ids from ${qualified(table)} t where deleted_at is null
       group by ${values} having count(*) > 1 and num_nulls(${values}) = 0)
     select (select count(*) from d) as count, array(select unnest(d.ids) from d limit ${mostNamed}) as ids`,
  );
  const { ids = [], count = 0 } = rows[0] ?? {};
  return new BrokenRows({
    code: "records-with-same-value",
    message: `${count} ${count === 1 ? "value" : "values"} of ${names.join(" and ")} ${count === 1 ? "is" : "are"} there more than once, in the records ${listed(ids, ids.length + (ids.length === mostNamed ? 1 : 0))}. Merge or change them, then ask again.`,
    rows: ids,
  });
}

function listed(ids: readonly string[], count: number): string {
  return `${ids.join(", ")}${count > ids.length ? "…" : ""}`;
}
