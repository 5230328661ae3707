import type { JsonObject } from "../json.ts";
import { createStatement, type Sql, type SqlPool, type Statement } from "../sql.ts";
import type { Workspace } from "../workspace.ts";
import type { WriteOptions } from "./events.ts";
import type { Actor, CrmObject, Objects, Origin } from "./objects.ts";

/** What a change came to. */
export interface Change {
  readonly id: string;
  readonly outcome: "created" | "updated" | "unchanged" | "deleted" | "restored";
  readonly record: JsonObject;
  /** The whole record as it was; null when created. */
  readonly before: JsonObject | null;
  readonly changedFields: string[];
}

/**
 * Who writes, and how the change is committed. `begin` gives a statement, in a run with the CTE `gate`
 * in it; `commit` runs it and gives the row of `changed`: undefined when there was none.
 */
export interface Writer {
  readonly pool: SqlPool;
  readonly workspace: Workspace;
  readonly objects: Objects;
  readonly actor: Actor;
  readonly origin: Origin | null;
  readonly gate?: string;
  /** The longest that one of its transactions waits for a lock; by default as long as it takes. */
  readonly lockMs?: number;
  /** `locked`: the change is one of several statements of a transaction. */
  begin(options?: { locked?: boolean }): Statement;
  commit(sql: Sql, statement: Statement): Promise<Change | undefined>;
}

/** A writer outside any run. */
export function createWriter(parts: Pick<Writer, "pool" | "workspace" | "objects" | "actor">): Writer {
  return {
    ...parts,
    origin: null,
    begin: () => createStatement(),
    async commit(sql, statement) {
      // Without a name: callers send any set of fields, and a prepared statement stays with its session.
      const { text, values } = statement.query(
        `select id, outcome, record, before, changed_fields as "changedFields" from changed`,
      );
      const { rows } = await sql.query<Change>(text, values);
      return rows[0];
    },
  };
}

/** What a writer's change of an object is made with. */
export function writeOptionsOf(writer: Writer, object: CrmObject, statement: Statement): WriteOptions {
  const { workspace, objects, actor, origin, gate } = writer;
  return { statement, workspace, objects, object, actor, origin, ...(gate === undefined ? {} : { gate }) };
}
