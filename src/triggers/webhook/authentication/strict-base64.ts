/** The bytes of a text in base64, padded or not; undefined where it is not the one spelling of them. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const padded = bytes.toString("base64");
  return text !== "" && (text === padded || text === padded.replace(/=+$/, "")) ? bytes : undefined;
}
