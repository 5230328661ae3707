import { refuse, type Refusal, type RefusalCode, type SignedRequest } from "./authentication.ts";

/** What is said where a header is missing, or is there twice. */
interface Codes {
  readonly missing: RefusalCode;
  readonly malformed: RefusalCode;
}

/**
 * The value of a header that must be there once. Node keeps the first of some headers that are sent
 * twice and joins others by commas: what was sent is read instead, so that nothing is hidden behind it.
 */
export function readHeader(request: SignedRequest, name: string, codes: Codes): string | Refusal {
  const wanted = name.toLowerCase();
  const values = request.rawHeaders.filter(
    (_, index) => index % 2 === 1 && request.rawHeaders[index - 1]?.toLowerCase() === wanted,
  );
  const [value] = values;
  if (value === undefined || value === "") return refuse(codes.missing, `The header ${name} is missing.`);
  if (values.length > 1) return refuse(codes.malformed, `The header ${name} was sent ${values.length} times.`);
  return value;
}
