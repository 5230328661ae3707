import { z } from "zod";
import { writeModes } from "../modes.ts";
import { delimiters } from "./csv-rows.ts";

/** Formats of files that records are read from and written to. */
export const formats = ["csv", "json-lines"] as const;
export type Format = (typeof formats)[number];

/** How a file is read and what becomes of its rows. */
export const importSettings = z.strictObject({
  mapping: z.record(z.string().max(500), z.string().max(200).nullable()).default({}).meta({
    description:
      "Column → where it goes: `emails.primaryEmail`, `company.domainName`; null leaves the column out. Columns that are not named go where their name says.",
  }),
  match: z.array(z.string()).max(10).default([]).meta({
    description: "Fields by which a row finds its record. None: its id, else its first unique field that has a value",
  }),
  modes: z
    .record(z.string(), z.enum(writeModes))
    .default({})
    .meta({ description: "How values meet what a record holds, by field" }),
  delimiter: z.enum(delimiters).optional().meta({ description: "Of CSV; by default it is seen from the first row" }),
  empty: z
    .enum(["skip", "clear"])
    .default("skip")
    .meta({ description: "What an empty cell means: nothing, or that the field is empty" }),
  numbers: z.enum(["point", "comma"]).default("point").meta({ description: "What stands before the decimals" }),
  dates: z
    .enum(["iso", "day-first", "month-first"])
    .default("iso")
    .meta({ description: "How dates are written besides 2026-12-31: 31.12.2026, 12/31/2026" }),
});
export type ImportSettings = z.output<typeof importSettings>;
