import { refuse, type Refusal, type SignedRequest } from "./authentication.ts";
import { readHeader } from "./read-header.ts";

/** What a request carries of its signing. */
export interface Signed {
  /** Encoded as the scheme encodes them, without prefixes; one of them must fit. */
  readonly signatures: readonly string[];
  /** Empty: none is signed. */
  readonly timestamp: string;
  /** Empty: none is signed. */
  readonly id: string;
}

/** Finds signatures, and the moment where it stands beside them. */
type SignatureReader = (
  request: SignedRequest,
) => { readonly signatures: readonly string[]; readonly timestamp?: string } | Refusal;

export const signatureCodes = { missing: "signature-missing", malformed: "signature-malformed" } as const;
export const timestampCodes = { missing: "timestamp-missing", malformed: "timestamp-malformed" } as const;
export const idCodes = { missing: "id-missing", malformed: "id-malformed" } as const;

/** Reads signatures by `signatures`, and what else is signed from headers. */
export function readSigned(from: {
  readonly signatures: SignatureReader;
  readonly timestampHeader?: string | undefined;
  readonly idHeader?: string | undefined;
}): (request: SignedRequest) => Signed | Refusal {
  const { timestampHeader, idHeader } = from;
  return (request) => {
    const read = from.signatures(request);
    if ("ok" in read) return read;
    const timestamp =
      timestampHeader === undefined ? (read.timestamp ?? "") : readHeader(request, timestampHeader, timestampCodes);
    if (typeof timestamp !== "string") return timestamp;
    const id = idHeader === undefined ? "" : readHeader(request, idHeader, idCodes);
    if (typeof id !== "string") return id;
    return { signatures: read.signatures, timestamp, id };
  };
}

/** One signature, behind `prefix`, is all that the header holds. */
export function inHeader(header: string, prefix = ""): SignatureReader {
  return (request) => {
    const value = readHeader(request, header, signatureCodes);
    if (typeof value !== "string") return value;
    if (!value.startsWith(prefix) || value === prefix)
      return refuse("signature-malformed", `The header ${header} does not begin with ${prefix}.`);
    return { signatures: [value.slice(prefix.length)] };
  };
}

/** A list in a header, such as `t=1795489552,v1=5257a8…`. */
export interface SignatureList {
  readonly header: string;
  readonly separator: string;
  /** What a signature is called in it; there may be several while a secret is rotated. */
  readonly signature: string;
  /** What the moment of signing is called, where it is in the list. */
  readonly timestamp?: string | undefined;
}

/** Signatures, and the moment, are items of a list. What else is in it is not looked at. */
export function inList({ header, separator, signature, timestamp }: SignatureList): SignatureReader {
  return (request) => {
    const list = readHeader(request, header, signatureCodes);
    if (typeof list !== "string") return list;
    const items = list.split(separator).map((item) => /^([\w-]+)=(\S+)$/.exec(item));
    if (items.includes(null))
      return refuse("signature-malformed", `The header ${header} is not a list such as ${signature}=….`);
    const named = (name: string): string[] =>
      items.flatMap((item) => (item?.[1] === name && item[2] !== undefined ? [item[2]] : []));
    const signatures = named(signature);
    if (signatures.length === 0) return refuse("signature-missing", `The header ${header} holds no ${signature}=….`);
    if (timestamp === undefined) return { signatures };
    const [moment, ...others] = named(timestamp);
    if (moment === undefined) return refuse("timestamp-missing", `The header ${header} holds no ${timestamp}=….`);
    if (others.length > 0) return refuse("timestamp-malformed", `The header ${header} holds ${timestamp}=… twice.`);
    return { signatures, timestamp: moment };
  };
}
