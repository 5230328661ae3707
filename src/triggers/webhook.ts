import { z } from "zod";
import type { Issue } from "../errors.ts";
import { isJsonObject, type Json } from "../json.ts";
import { compileBodySchema, type BodySchema } from "./body-schema.ts";
import type { TriggerKind } from "./trigger-kind.ts";

const methods = ["POST", "PUT", "PATCH", "GET", "DELETE"] as const;

const bodySchema = z
  .record(z.string(), z.json() as z.ZodType<Json>)
  .superRefine((schema, context) => {
    try {
      compileBodySchema(schema);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      context.addIssue({ code: "custom", message: `this JSON Schema cannot be used: ${said}` });
    }
  })
  .meta({ description: "JSON Schema (draft 7) of the body" });

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, "a header's name");
const bodyPath = z.string().regex(/^[\w-]+(\.[\w-]+){0,7}$/, "a path into the body, such as event.id");

export const webhookSettings = z.strictObject({
  method: z.enum(methods).default("POST"),
  authentication: z.strictObject({ kind: z.literal("none") }).default({ kind: "none" }),
  body: bodySchema.optional(),
  dedupe: z.union([z.strictObject({ header: headerName }), z.strictObject({ path: bodyPath })]).optional(),
});

export type WebhookSettings = z.output<typeof webhookSettings>;

/** A webhook's settings made ready for requests. */
export interface Webhook {
  readonly method: (typeof methods)[number];
  /** The body with its values fitted to the declared types, and every fault with its path. */
  checkBody(body: Json, options: { fromText: boolean }): { readonly body: Json; readonly issues: readonly Issue[] };
  /** The delivery's dedupe key; undefined when the trigger names none or the delivery has none. */
  dedupeKey(delivery: { readonly headers: Readonly<Record<string, string>>; readonly body: Json }): string | undefined;
}

/** Compiles settings once for many requests. */
export function compileWebhook(settings: WebhookSettings): Webhook {
  const schema: BodySchema | undefined = settings.body && compileBodySchema(settings.body);
  const { dedupe } = settings;
  return {
    method: settings.method,
    checkBody: (body, options) => schema?.check(body, options) ?? { body, issues: [] },
    dedupeKey({ headers, body }) {
      if (dedupe === undefined) return undefined;
      if ("header" in dedupe) return headers[dedupe.header.toLowerCase()] || undefined;
      return keyText(dedupe.path.split(".").reduce<Json | undefined>(below, body));
    },
  };
}

function below(value: Json | undefined, key: string): Json | undefined {
  if (Array.isArray(value)) return value[Number(key)];
  return value !== undefined && isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}

function keyText(value: Json | undefined): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) || undefined : undefined;
}

export const webhook: TriggerKind = {
  kind: "webhook",
  title: "Webhook",
  description: "A URL that starts a run for each request it accepts.",
  settings: webhookSettings,
  gives: () => ({ body: true, headers: true, query: true, method: true, deliveryId: true }),
  sample: {
    settings: {
      method: "POST",
      authentication: { kind: "none" },
      body: { type: "object", required: ["email"], properties: { email: { type: "string", format: "email" } } },
    },
    gives: { body: { email: "ada@example.com" }, headers: { "content-type": "application/json" }, query: {} },
  },
};
