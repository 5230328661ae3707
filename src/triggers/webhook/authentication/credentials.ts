import { refuse, type Authentication, type Refusal, type SignedRequest } from "./authentication.ts";
import { isSame } from "./compare.ts";
import { readHeader } from "./read-header.ts";
import { anyFits, valuesOf } from "./secret-values.ts";

interface Credential {
  readonly secretName: string;
  readonly sensitiveHeaders?: readonly string[];
  readonly sensitiveQuery?: readonly string[];
  readonly challenge?: string;
  /** The bytes that the request brought. */
  read(request: SignedRequest): Buffer | Refusal;
  /** What it must have brought under a value of the secret. */
  expect(secret: Buffer): Buffer | string;
}

const codes = { missing: "credentials-missing", malformed: "credentials-malformed" } as const;

/** `Authorization: Bearer <secret>`. */
export function bearer(secretName: string): Authentication {
  return compileCredential({
    secretName,
    sensitiveHeaders: ["authorization"],
    challenge: 'Bearer realm="webhook"',
    read: (request) => readAuthorization(request, "Bearer"),
    expect: (secret) => secret,
  });
}

/** `Authorization: Basic`, with a user and the secret as its password. */
export function basic(user: string, secretName: string): Authentication {
  return compileCredential({
    secretName,
    sensitiveHeaders: ["authorization"],
    challenge: 'Basic realm="webhook", charset="UTF-8"',
    read: (request) => readAuthorization(request, "Basic"),
    expect: (secret) => Buffer.concat([Buffer.from(`${user}:`), secret]).toString("base64"),
  });
}

/** A header that holds the secret and nothing else. */
export function headerKey(header: string, secretName: string): Authentication {
  return compileCredential({
    secretName,
    sensitiveHeaders: [header.toLowerCase()],
    read: (request) => toBytes(readHeader(request, header, codes)),
    expect: (secret) => secret,
  });
}

/** A query parameter that holds the secret, for senders that can be given an address and nothing else. */
export function queryKey(parameter: string, secretName: string): Authentication {
  return compileCredential({
    secretName,
    sensitiveQuery: [parameter],
    read({ query }) {
      const values = new URLSearchParams(`?${query}`).getAll(parameter);
      const [value] = values;
      if (value === undefined || value === "")
        return refuse(codes.missing, `The query parameter ${parameter} is missing.`);
      if (values.length > 1)
        return refuse(codes.malformed, `The query parameter ${parameter} was sent ${values.length} times.`);
      return Buffer.from(value);
    },
    expect: (secret) => secret,
  });
}

function compileCredential({ secretName, read, expect, ...shown }: Credential): Authentication {
  return {
    sensitiveHeaders: [],
    sensitiveQuery: [],
    ...shown,
    secretNames: [secretName],
    verify(request, secrets) {
      const values = valuesOf(secrets, secretName);
      if ("ok" in values) return values;
      const given = read(request);
      if ("ok" in given) return given;
      return (
        anyFits(values, (value) => isSame(given, expect(value))) ??
        refuse("credentials-wrong", `The credentials are not those of the secret ${secretName}.`)
      );
    },
  };
}

/** What stands behind the scheme, whose name is written in any case (RFC 9110). */
function readAuthorization(request: SignedRequest, scheme: string): Buffer | Refusal {
  const header = readHeader(request, "authorization", codes);
  if (typeof header !== "string") return header;
  const [name, value, ...rest] = header.split(" ");
  if (name?.toLowerCase() !== scheme.toLowerCase() || value === undefined || value === "" || rest.length > 0)
    return refuse(codes.malformed, `The header Authorization is not of the form "${scheme} …".`);
  return toBytes(value);
}

/** Node reads each byte of a header as one character. */
function toBytes(header: string | Refusal): Buffer | Refusal {
  return typeof header === "string" ? Buffer.from(header, "latin1") : header;
}
