import { z } from "zod";
import { deleteRecord as remove } from "../crm/operations.ts";
import { addAnswer } from "../crm/write.ts";
import type { Sealed } from "../runs/seal.ts";
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
  strict: ["id", "permanently"],
  sample: {
    input: { object: "person", id: "0197f5f0-0000-7000-8000-000000000001" },
    output: { id: "0197f5f0-0000-7000-8000-000000000001", outcome: "deleted" },
  },
  check: (written, context) => checkObject(written, context).issues,
  async run(context, { object, id, permanently }, seal) {
    const writer = createStepWriter(context, seal);
    let sealed: Sealed | undefined;
    await remove(
      {
        ...writer,
        // Sealed also where there was no such record.
        async commit(sql, statement) {
          addAnswer(statement, id);
          const output = "jsonb_build_object('id', id, 'outcome', outcome)";
          sealed = await seal.commit(sql, statement, { from: "answer", output, outcome: "outcome" });
          return undefined;
        },
      },
      { object: getObject(context.objects, object), id, permanently },
    );
    if (sealed === undefined) throw new Error(`Step ${context.path}: the deletion was not sealed.`);
    return sealed;
  },
};
