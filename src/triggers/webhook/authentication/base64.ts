/** The bytes of a text in base64, padded or not; undefined where it is not the one spelling of them. */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  const padded = bytes.toString("base64");
  return text !== "" && (text === padded || text === padded.replace(/=+$/, "")) ? bytes : undefined;
}

/**
 * The bytes of a key that its owner wrote in base64. Its last character may hold bits that belong to no
 * byte: some are given out so.
 */
export function decodeKey(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/]{2,}={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
