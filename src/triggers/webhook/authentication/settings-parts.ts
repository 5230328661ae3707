import { z } from "zod";
import { addressFault } from "./addresses.ts";

/** The name of a secret of the vault. */
export const secret = z
  .string()
  .regex(/^[A-Za-z_]\w{0,63}$/, "the name of a secret, such as STRIPE_WEBHOOK")
  .meta({ description: "Name of a secret" });
/** The name of a header. */
export const header = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/, "a header's name");

const address = z.string().superRefine((text, context) => {
  const fault = addressFault(text);
  if (fault !== undefined) context.addIssue({ code: "custom", message: fault });
});
/** Addresses and ranges that may send. */
export const addresses = z.array(address).min(1).max(500).meta({ description: "Addresses and ranges that may send" });
/** What every kind takes besides its own settings. */
export const common = { allowFrom: addresses.optional() };
