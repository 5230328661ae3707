import { isJsonObject, type Json } from "../../json.ts";
import { createRowReader, decodeLine, faultOf, type Content, type Place, type RowReader } from "./file-rows.ts";

const lineFeed = 0x0a;

/** Reads JSON lines: an object a line, read by `parse`, which throws an error that says what is wrong. */
export function createJsonReader(parse: (text: string) => Json, place: Place): RowReader {
  return createRowReader((bytes, isLast) => {
    const at = bytes.indexOf(lineFeed);
    if (at === -1 && !isLast) return undefined;
    const end = at === -1 ? bytes.length : at + 1;
    return { end, content: readObject(bytes.subarray(0, end), parse) };
  }, place);
}

function readObject(bytes: Buffer, parse: (text: string) => Json): Content | undefined {
  const text = decodeLine(bytes);
  if (typeof text !== "string") return text;
  if (text.trim() === "") return undefined;
  try {
    const object = parse(text);
    if (isJsonObject(object)) return { kind: "object", object };
    return faultOf('is no object of fields, as in {"name": …}', text);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    return faultOf(`cannot be read: ${said.replace(/\.$/, "")}`, text);
  }
}
