import { z } from "zod";
import { didYouMean } from "../../../definition/suggest.ts";
import { isJsonObject } from "../../../json.ts";
import { hmacSettings } from "./hmac-settings.ts";
import { addresses, common, header, secret } from "./settings-parts.ts";
import { publicKeyFault } from "./standard-webhooks.ts";

const publicKey = z.string().superRefine((text, context) => {
  const fault = publicKeyFault(text);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});

const standardWebhooks = z
  .strictObject({
    kind: z.literal("standard-webhooks"),
    secret: secret.optional(),
    publicKeys: z.array(publicKey).min(1).max(2).optional().meta({ description: "Ed25519 keys, whpk_…" }),
    headers: z.enum(["webhook", "svix"]).default("webhook").meta({ description: "What their names begin with" }),
    ...common,
  })
  .refine((given) => given.secret !== undefined || given.publicKeys !== undefined, {
    path: ["secret"],
    message: "name the secret (whsec_…) or give the sender's publicKeys (whpk_…)",
  });

const kinds = [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({ kind: z.literal("ip"), allowFrom: addresses }),
  z.strictObject({ kind: z.literal("bearer"), secret, ...common }),
  z.strictObject({
    kind: z.literal("basic"),
    user: z.string().regex(/^[^:\p{Cc}]{1,200}$/u, "a user name without a colon"),
    secret,
    ...common,
  }),
  z.strictObject({ kind: z.literal("header"), header, secret, ...common }),
  z.strictObject({
    kind: z.literal("query"),
    parameter: z.string().regex(/^[\w.-]{1,100}$/, "a parameter's name"),
    secret,
    ...common,
  }),
  standardWebhooks,
  z.strictObject({ kind: z.literal("stripe"), secret, ...common }),
  z.strictObject({ kind: z.literal("github"), secret, ...common }),
  z.strictObject({ kind: z.literal("slack"), secret, ...common }),
  z.strictObject({ kind: z.literal("shopify"), secret, ...common }),
  z.strictObject({ kind: z.literal("twenty"), secret, ...common }),
  hmacSettings,
] as const;

/** The kinds that there are. */
export const authenticationKinds: readonly string[] = kinds.map((schema) => schema.shape.kind.value);

/** What a webhook's `authentication` says: how a request shows that it comes from the one who may send. */
export const authenticationSettings = z
  .discriminatedUnion("kind", kinds, { error: unknownKind })
  .meta({ description: "How a request shows that it comes from the one who may send" });

function unknownKind({ code, input }: z.core.$ZodRawIssue): string | undefined {
  if (code !== "invalid_union") return undefined;
  const kind = isJsonObject(input) ? input["kind"] : undefined;
  if (typeof kind !== "string") return `needs a kind: ${authenticationKinds.join(", ")}`;
  return `unknown kind "${kind}"${didYouMean(kind, authenticationKinds) || `; there are ${authenticationKinds.join(", ")}`}`;
}

export type AuthenticationSettings = z.output<typeof authenticationSettings>;
/** The settings of one kind. */
export type SettingsOf<Kind extends AuthenticationSettings["kind"]> = Extract<AuthenticationSettings, { kind: Kind }>;
