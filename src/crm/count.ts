import { z } from "zod";
import { createStatement, type Sql } from "../sql.ts";
import { matchingSql, type Selection } from "./selection.ts";

/** How many records match. */
export interface Total {
  readonly count: number;
  /** Whether it was not counted, but reckoned from what Postgres knows of the table. */
  readonly isEstimate: boolean;
}

/** Up to this many are counted. */
const mostCounted = 10_000;
/** Of what is searched for fewer: an index of words may have to look at each record again. */
const mostFound = 1_000;

/** What counting may cost, as the planner reckons: of a million rows the few that an index finds, not all. */
const mostCost = 20_000;

const explained = z.array(
  z.object({ Plan: z.object({ "Total Cost": z.number(), Plans: z.array(z.object({ "Plan Rows": z.number() })) }) }),
);

/**
 * How many records match: counted where it is 10,000 at most and counting them costs little, else by
 * estimate. `atLeast`: how many are known to.
 */
export async function countRecords(sql: Sql, selection: Selection, atLeast = 0): Promise<Total> {
  const statement = createStatement();
  const most = selection.search === undefined ? mostCounted : mostFound;
  const matching = `select 1 from ${selection.object.table} t where ${matchingSql(statement, selection)} limit ${most + 1}`;
  const { values } = statement.query("");
  const plan = await sql.query<{ "QUERY PLAN": unknown }>(`explain (format json) ${matching}`, values);
  const [top] = explained.parse(plan.rows[0]?.["QUERY PLAN"]);
  const cost = top?.Plan["Total Cost"] ?? 0;
  const rows = top?.Plan.Plans[0]?.["Plan Rows"] ?? 0;
  if (rows > most || cost > mostCost) return { count: Math.max(rows, atLeast), isEstimate: true };
  const counted = await sql.query<{ count: number }>(`select count(*) as count from (${matching}) m`, values);
  const count = counted.rows[0]?.count ?? 0;
  return count <= most ? { count, isEstimate: false } : { count: Math.max(rows, count), isEstimate: true };
}

/** How many records match, all of them counted, however many there are. */
export async function countAll(sql: Sql, selection: Selection): Promise<number> {
  const statement = createStatement();
  const matching = matchingSql(statement, selection);
  // Filters have as many shapes as callers: no name keeps one.
  const { text, values } = statement.query(
    `select count(*)::integer as count from ${selection.object.table} t where ${matching}`,
  );
  const { rows } = await sql.query<{ count: number }>(text, values);
  return rows[0]?.count ?? 0;
}
