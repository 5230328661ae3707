import { z } from "zod";
import { at, type Issue } from "../../errors.ts";
import { isJsonObject, type Json, type JsonObject } from "../../json.ts";
import { compileBodySchema } from "../../triggers/body-schema.ts";
import { inputsSchema, readInputs } from "../../triggers/manual/inputs.ts";

const jsonObject = z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject>;

/** What a question asks for: a yes or no, fields to fill in, or whatever a JSON Schema describes. */
export const formSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("approval") }),
  z.object({ kind: z.literal("fields"), fields: inputsSchema }),
  z.object({ kind: z.literal("schema"), schema: jsonObject }),
]);

export type Form = z.output<typeof formSchema>;

const approval = z.strictObject({
  approved: z.boolean(),
  comment: z.string().max(10_000).nullable().default(null),
});

/**
 * The answer as it is kept, and what is wrong with it, by places that begin with `answer`. `fromText`: values
 * came as the text of an HTML form.
 */
export function readAnswer(
  form: Form,
  given: Json,
  { fromText = false }: { fromText?: boolean } = {},
): { readonly answer: Json; readonly issues: readonly Issue[] } {
  switch (form.kind) {
    case "approval":
      return readApproval(given);
    case "fields": {
      if (!isJsonObject(given))
        return { answer: given, issues: [{ path: "answer", message: "takes the fields by name" }] };
      const { values, issues } = readInputs(form.fields, given, "answer");
      return { answer: values, issues };
    }
    case "schema": {
      const { body, issues } = compileBodySchema(form.schema).check(given, { fromText, at: "answer" });
      return { answer: body, issues };
    }
  }
}

function readApproval(given: Json): { answer: Json; issues: Issue[] } {
  const parsed = approval.safeParse(given);
  if (parsed.success) return { answer: parsed.data, issues: [] };
  const issues = parsed.error.issues.map(({ path, message }) => ({
    path: path.reduce<string>((place, key) => at(place, String(key)), "answer"),
    message,
  }));
  return { answer: given, issues };
}
