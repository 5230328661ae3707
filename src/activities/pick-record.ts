import { z } from "zod";
import { addTurn, beginRotation } from "../crm/rotation.ts";
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
  records: [["record"]],
  strict: ["filter"],
  sample: {
    input: { object: "workspaceMember", strategy: "round-robin" },
    output: { id: "0197f5f0-0000-7000-8000-000000000003", record: { userEmail: "rep@example.com" } },
  },
  check(written, context) {
    const { object, issues } = checkObject(written, context);
    if (object === undefined) return issues;
    return checkFilter(written["filter"], object, { ...context, at: `${context.at}.filter` });
  },
  async run(context, { object: name, filter }, seal) {
    const { sql, workspace, objects, run, path } = context;
    const key = `${run.workflowKey}/${path}`;
    const rotation = { workspace, objects, object: getObject(objects, name), key, filter };
    for (const isFirst of [true, false]) {
      const statement = seal.begin();
      addTurn(statement, rotation, "gate");
      const output = "jsonb_build_object('id', id, 'record', record)";
      const sealed = await seal.commit(sql, statement, { from: "chosen", output, outcome: "null" });
      if (sealed !== undefined) return sealed;
      // The first pick of all: there was no row yet to wait at.
      if (isFirst) await beginRotation(sql, rotation);
    }
    throw new StepError("nothing-to-pick", `There is no ${name} to pick. Make one, or change the step's filter.`);
  },
};
