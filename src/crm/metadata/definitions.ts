import { z } from "zod";
import { didYouMean } from "../../definition/suggest.ts";
import type { Json } from "../../json.ts";
import { fieldTypes, type FieldType } from "../field-types.ts";

const camelCase = /^[a-z][a-zA-Z0-9]{0,59}$/;
const name = z
  .string()
  .regex(camelCase, "takes camelCase: a small letter, then letters and digits, 60 at most")
  .meta({ description: "As definitions and the API name it", example: "contractValue" });
const label = z.string().trim().min(1).max(120);
const description = z.string().max(2_000).nullable();
const icon = z.string().max(60).nullable();

/** Every object has its one position already. */
const types = Object.keys(fieldTypes).filter((type) => type !== "POSITION") as [FieldType, ...FieldType[]];
/** A type that a field can be made with. */
export const fieldType = z.enum(types, {
  error({ input }) {
    const known = types.join(", ");
    if (typeof input !== "string") return `a type is needed, one of ${known}`;
    return `unknown type "${input}"${didYouMean(input, types) || `; there are ${known}`}`;
  },
});

const option = z.strictObject({
  value: z
    .string()
    .regex(/^[A-Z][A-Z0-9_]{0,62}$/, "takes UPPER_SNAKE_CASE, 63 characters at most")
    .meta({ description: "What records hold: for life", example: "IN_REVIEW" }),
  label: label.meta({ description: "What people see: may change at any time" }),
  color: z.string().max(30).optional(),
});
const options = z
  .array(option)
  .min(1)
  .max(500)
  .refine((list) => new Set(list.map(({ value }) => value)).size === list.length, "has a value twice");
const side = z.strictObject({ name, label });

/** Bodies are JSON already; a recursive schema would have no document. */
const anyJson = z.unknown() as z.ZodType<Json>;

const fieldShape = {
  label,
  description,
  icon,
  required: z.boolean().meta({ description: "Every record must have a value" }),
  unique: z.boolean().meta({ description: "No two records, deleted ones aside, have the same value" }),
  indexed: z.boolean().meta({ description: "An index of its own serves filters and sorting" }),
  searchable: z.boolean().meta({ description: "Full-text search looks into it" }),
  defaultValue: anyJson.meta({ description: "What a new record has where nothing is said; null: nothing" }),
  options: options.meta({ description: "Of SELECT and MULTI_SELECT, in their order" }),
  decimals: z.int().min(0).max(30).meta({ description: "Of NUMBER: digits after the point at most; 0: whole numbers" }),
};

/** A field as it is asked for. */
export const fieldDefinition = z
  .strictObject({
    ...fieldShape,
    name,
    type: fieldType,
    compares: z
      .enum(["exactly", "without-case", "as-domain"])
      .meta({ description: "How text is compared; e-mails without case unless told" }),
    object: z.string().meta({ description: "Of RELATION: the object that it points to" }),
    objects: z
      .array(z.string())
      .min(2)
      .max(20)
      .meta({ description: "Of RELATION: several objects; a record points to one of one of them" }),
    inverse: side.meta({ description: "Of RELATION: what it is seen as from the other side" }),
    onDelete: z
      .enum(["set-null", "cascade"])
      .meta({ description: "Of RELATION: whether the record goes when what it points to is destroyed" }),
  })
  .partial()
  .required({ name: true, type: true })
  .meta({ id: "FieldDefinition" });
export type FieldInput = z.output<typeof fieldDefinition>;

/** What may change of a field. */
export const fieldChange = z
  .strictObject({ ...fieldShape, name, active: z.boolean().meta({ description: "false: hidden, its values kept" }) })
  .partial()
  .meta({ id: "FieldChange" });
export type FieldChange = z.output<typeof fieldChange>;

const objectShape = {
  label,
  labelPlural: label,
  description,
  icon,
  duplicateCriteria: z
    .array(z.array(z.string()).min(1).max(5))
    .max(10)
    .meta({ description: "Paths of which all must be the same, for each way in which two records may be duplicates" }),
};

/** An object as it is asked for. */
export const objectDefinition = z
  .strictObject({
    ...objectShape,
    name,
    plural: name,
    linkable: z
      .boolean()
      .meta({ description: "Whether tasks and notes can be linked to its records; default: they can" }),
    fields: z.array(fieldDefinition).max(200),
  })
  .partial()
  .required({ name: true, plural: true })
  .meta({ id: "ObjectDefinition" });
export type ObjectInput = z.output<typeof objectDefinition>;

/** What may change of an object. */
export const objectChange = z
  .strictObject({
    ...objectShape,
    name,
    plural: name,
    active: z.boolean().meta({ description: "false: hidden, its records kept" }),
  })
  .partial()
  .meta({ id: "ObjectChange" });
export type ObjectChange = z.output<typeof objectChange>;

/** An index over several fields, or sub-fields, as it is asked for. */
export const indexDefinition = z
  .strictObject({
    fields: z
      .array(z.string().min(1))
      .min(1)
      .max(6)
      .meta({ description: "Fields or sub-fields, in their order", example: ["city", "name.lastName"] }),
    unique: z.boolean().default(false).meta({ description: "Whether together they must be unique" }),
  })
  .meta({ id: "IndexDefinition" });
export type IndexInput = z.output<typeof indexDefinition>;

/** `contractValue` → `Contract value`. */
export function labelOf(camel: string): string {
  const words = camel.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
