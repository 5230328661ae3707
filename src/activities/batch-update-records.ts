import { z } from "zod";
import { updateRecords } from "../crm/batch.ts";
import { batchOutput, batchPolicy, batchShape, checkBatch } from "./batch-input.ts";
import { getObject } from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";
import { writeRecords } from "./write-records.ts";

const input = z.strictObject(batchShape);

export const batchUpdateRecords: RecordKind<z.output<typeof input>> = {
  kind: "batch-update-records",
  effect: "record",
  title: "Update many records",
  description:
    "Changes many records by their ids, each by its own values or all by the same. One that is refused keeps no other from being changed.",
  ...batchPolicy,
  input,
  output: batchOutput,
  fixed: ["object"],
  strict: ["onlyIf"],
  sample: {
    input: {
      object: "person",
      records: [{ id: "0197f5f0-0000-7000-8000-000000000001", jobTitle: "CEO" }],
      values: { city: "Bern" },
    },
    output: {
      created: 0,
      updated: 1,
      unchanged: 0,
      refused: [],
      ids: ["0197f5f0-0000-7000-8000-000000000001"],
    },
  },
  check: checkBatch,
  async run(context, given, seal) {
    const object = getObject(context.objects, given.object);
    return writeRecords({ context, seal, given }, (writer, batch) => updateRecords(writer, { ...batch, object }));
  },
};
