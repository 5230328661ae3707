import { ProblemError } from "../../errors.ts";
import type { Statement } from "../../sql.ts";
import { namesField, restFilterSql } from "./filter-sql.ts";
import { parseFilter } from "./filter-syntax.ts";
import type { Place } from "./place.ts";

/** What a `filter` parameter asks for. */
export interface Asked {
  /** SQL over the alias. */
  where(statement: Statement, alias: string): string;
  /** Whether it looks at deleted records too. */
  readonly deleted: boolean;
}

/** The filter of a query; undefined where there is none. Throws a 400. */
export function filterOf({ objects, object }: Place, source: string | undefined): Asked | undefined {
  if (source === undefined || source.trim() === "") return undefined;
  const filter = parseFilter(source);
  return {
    where: (statement, alias) => restFilterSql(filter, { statement, objects, object, alias }),
    deleted: namesField(filter, "deletedAt"),
  };
}

/** The same where it must be there: a script that forgets it must not change every record. */
export function requiredFilterOf(place: Place, source: string | undefined): Asked {
  const asked = filterOf(place, source);
  if (asked !== undefined) return asked;
  throw new ProblemError(
    400,
    "invalid-query",
    `filter must be given: it says which ${place.object.plural} are meant, as in filter=id[in]:["…"].`,
    { issues: [{ path: "filter", message: "must be given" }] },
  );
}
