import { durationMs } from "../../../definition/schema.ts";
import { decodeKey } from "./base64.ts";
import { parseContent } from "./content.ts";
import { inHeader, inList, readSigned } from "./read-signed.ts";
import type { SettingsOf } from "./settings.ts";
import type { HmacScheme } from "./signature-scheme.ts";

/** The scheme that a webhook of the kind `hmac` describes. */
export function describedScheme(settings: SettingsOf<"hmac">): HmacScheme {
  const { header, prefix, list, timestamp, id } = settings;
  return {
    algorithm: settings.algorithm,
    encoding: settings.encoding,
    content: parseContent(settings.content),
    timestamp: timestamp && { unit: timestamp.unit, toleranceMs: durationMs(timestamp.tolerance) },
    signatureHeaders: [header],
    read: readSigned({
      signatures: list === undefined ? inHeader(header, prefix) : inList({ header, ...list }),
      timestampHeader: timestamp?.header,
      idHeader: id?.header,
    }),
    key: keys[settings.secretEncoding],
  };
}

const keys: Record<SettingsOf<"hmac">["secretEncoding"], HmacScheme["key"]> = {
  text: (secret) => secret,
  hex: (secret) =>
    /^([0-9a-f]{2})+$/i.test(secret.toString("latin1")) ? Buffer.from(secret.toString("latin1"), "hex") : undefined,
  base64: (secret) => decodeKey(secret.toString("latin1")),
};
