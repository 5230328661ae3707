import { z } from "zod";
import { upsertRecords } from "../crm/batch.ts";
import { batchOutput, batchPolicy, batchShape, checkBatch } from "./batch-input.ts";
import { getObject } from "./record-step.ts";
import type { RecordKind } from "./step-kind.ts";
import { writeRecords } from "./write-records.ts";

const input = z.strictObject({ ...batchShape, match: z.array(z.string().min(1)).max(5).default([]) });

export const batchUpsertRecords: RecordKind<z.output<typeof input>> = {
  kind: "batch-upsert-records",
  effect: "record",
  title: "Upsert many records",
  description:
    "Updates for each of many records the one that has the same values in the match fields, else makes it. One that is refused keeps no other from being written.",
  ...batchPolicy,
  input,
  output: batchOutput,
  fixed: ["object", "match"],
  strict: ["onlyIf"],
  sample: {
    input: {
      object: "company",
      match: ["name"],
      records: [{ name: "Bar & Sons", employees: 3 }],
      modes: { employees: "only-if-empty" },
    },
    output: {
      created: 1,
      updated: 0,
      unchanged: 0,
      refused: [],
      ids: ["0197f5f0-0000-7000-8000-000000000002"],
    },
  },
  check: checkBatch,
  async run(context, { match, ...given }, seal) {
    const object = getObject(context.objects, given.object);
    return writeRecords({ context, seal, given }, (writer, batch) =>
      upsertRecords(writer, { ...batch, object, match }),
    );
  },
};
