import { z } from "zod";
import { filterSql } from "../crm/filter.ts";
import { recordJson } from "../crm/objects.ts";
import { recordConditionSchema } from "../definition/conditions.ts";
import { StepError } from "../errors.ts";
import { checkFilter } from "./check-filter.ts";
import { checkObject, getObject, objectName, recordPolicy } from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";

const input = z.strictObject({
  object: objectName,
  strategy: z.literal("round-robin"),
  filter: recordConditionSchema.optional(),
});

export const pickRecord: RecordKind<z.output<typeof input>> = {
  kind: "pick-record",
  effect: "record",
  title: "Pick record",
  description:
    "Picks records in turn: the next after the one this step picked last. Workspace members who are not active are left out.",
  ...recordPolicy,
  input,
  output: z.object({ id: z.string(), record: z.record(z.string(), z.unknown()) }),
  fixed: ["object", "strategy"],
  strict: ["filter"],
  sample: {
    input: { object: "workspaceMember", strategy: "round-robin" },
    output: { id: "0197f5f0-0000-7000-8000-000000000003", record: { userEmail: "rep@example.com" } },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    return object === undefined
      ? issues
      : checkFilter(written["filter"], object, { ...context, at: `${context.at}.filter` });
  },
  async run(context, { object: name, filter }, seal) {
    const { sql, workspace, objects, run, path } = context;
    const object = getObject(objects, name);
    const turn = `${run.workflowKey}/${path}`;
    for (let tries = 0; tries < 2; tries++) {
      const statement = seal.begin();
      const p = statement.param;
      // Whoever comes second waits here for the first to commit, then sees whose turn it was.
      statement.with(
        "turn",
        `select r.last_id from tandem.rotations r, gate g where r.workspace_id = ${p(workspace.id, "uuid")} and r.key = ${p(turn, "text")} for update of r`,
      );
      const active = object.field("active") === undefined ? "" : "and t.active";
      const where =
        filter === undefined ? "true" : filterSql(filter, { statement, objects, object, alias: "t", at: "filter" });
      const choice = (after: string): string =>
        `(select t.id, ${recordJson(object, "t")} as record from ${object.table} t, turn where t.deleted_at is null ${active} and ${where} ${after} order by t.id limit 1)`;
      statement.with("next", choice("and t.id > turn.last_id"));
      statement.with(
        "chosen",
        `select id, record from next union all ${choice("and not exists (select 1 from next)")}`,
      );
      statement.with(
        "advanced",
        `update tandem.rotations r set last_id = c.id from chosen c where r.workspace_id = ${p(workspace.id, "uuid")} and r.key = ${p(turn, "text")} returning r.last_id`,
      );
      const sealed = await seal.commit(sql, statement, {
        from: "chosen",
        output: "jsonb_build_object('id', id, 'record', record)",
        outcome: "null",
      });
      if (sealed !== undefined) return sealed;
      // The first pick of all: there is no row yet to wait at.
      const { rowCount } = await sql.query({
        name: "begin_rotation",
        text: "insert into tandem.rotations (workspace_id, key, last_id) values ($1, $2, '00000000-0000-0000-0000-000000000000') on conflict do nothing",
        values: [workspace.id, turn],
      });
      if (rowCount === 0 && tries > 0) break;
    }
    throw new StepError("nothing-to-pick", `There is no ${name} to pick. Make one, or change the step's filter.`);
  },
};
