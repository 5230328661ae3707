/**
 * The texts as which programs write a value: as it is, within JSON, within a URL, in hexadecimal, and in
 * both alphabets of base64, also where it is encoded behind something else (`user:` in basic
 * authentication).
 */
export function writtenForms(value: Buffer): string[] {
  const text = value.toString();
  const hex = value.toString("hex");
  const urls = urlForms(text);
  return [
    ...new Set([
      text,
      ...jsonForms(text),
      ...urls,
      ...urls.map(lowerEscapes),
      hex,
      hex.toUpperCase(),
      ...base64Forms(value),
    ]),
  ];
}

function jsonForms(text: string): string[] {
  const plain = JSON.stringify(text).slice(1, -1);
  const ascii = plain.replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  return [plain, ascii].flatMap((form) => [form, form.replaceAll("/", "\\/")]);
}

function urlForms(text: string): string[] {
  // A half of a pair of units has no form in a URL.
  const component = encodeURIComponent(Buffer.from(text).toString());
  const strict = component.replaceAll(/[!'()*]/g, (unit) => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`);
  const form = new URLSearchParams({ v: text }).toString().slice(2);
  return [component, strict, form];
}

function lowerEscapes(text: string): string {
  return text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}

/**
 * The whole of it, and what stands for it within something longer: base64 writes three bytes as four
 * characters, so of each place in the three those characters that hold bits of the value alone.
 */
function base64Forms(value: Buffer): string[] {
  const within = [0, 1, 2].flatMap((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), value]).toString("base64url");
    const first = Math.ceil((before * 8) / 6);
    const last = Math.floor(((before + value.length) * 8) / 6);
    const core = encoded.slice(first, last);
    return [core, core.replaceAll("-", "+").replaceAll("_", "/")];
  });
  return [value.toString("base64"), value.toString("base64url"), ...within];
}
