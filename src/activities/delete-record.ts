import { z } from "zod";
import { addDelete } from "../crm/write.ts";
import { checkObject, createStepWriter, getObject, objectName, recordId, recordPolicy } from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";

const input = z.strictObject({ object: objectName, id: recordId, permanently: z.boolean().default(false) });

export const deleteRecord: RecordKind<z.output<typeof input>> = {
  kind: "delete-record",
  effect: "record",
  title: "Delete record",
  description: "Marks a record as deleted; permanently destroys it. A record that is not there is no failure.",
  ...recordPolicy,
  input,
  output: z.object({ id: z.string(), outcome: z.enum(["deleted", "absent"]) }),
  fixed: ["object"],
  strict: ["id"],
  sample: {
    input: { object: "person", id: "0197f5f0-0000-7000-8000-000000000001" },
    output: { id: "0197f5f0-0000-7000-8000-000000000001", outcome: "deleted" },
  },
  check: (written, context) => checkObject(written, context).issues,
  async run(context, { object, id, permanently }, seal) {
    const { workspace, objects, actor, origin } = createStepWriter(context, seal);
    const statement = seal.begin();
    addDelete(
      { statement, workspace, objects, object: getObject(objects, object), actor, origin, gate: "gate" },
      { id, permanently },
    );
    const wanted = statement.param(id, "text");
    statement.with("answered", "select coalesce((select c.outcome from changed c), 'absent') as outcome from gate");
    const sealed = await seal.commit(context.sql, statement, {
      from: "answered",
      output: `jsonb_build_object('id', ${wanted}, 'outcome', outcome)`,
      outcome: "outcome",
    });
    return sealed ?? { output: { id, outcome: "absent" }, outcome: "absent" };
  },
};
