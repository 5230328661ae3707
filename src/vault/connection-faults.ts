import { X509Certificate } from "node:crypto";
import { didYouMean } from "../definition/suggest.ts";
import { at, type Issue } from "../errors.ts";
import { isAllowedUrl, portOf } from "./allowed-hosts.ts";
import { secretPlacesOf } from "./authorization.ts";
import type { Connection } from "./connections.ts";

/** What a connection says, before it is kept. */
export type ConnectionSettings = Omit<Connection, "id" | "workspaceId" | "key" | "revision">;

/** Headers that say how a message is sent, not what it is: the client writes them itself. */
const clientsOwn = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);
/** Headers whose values nobody may read: what authenticates belongs where secrets are named. */
const secretHeaders = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key"]);

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const headerValue = /^[\t\x20-\x7e]*$/;
const mostHeaders = 50;

/** What is wrong with a connection's settings, each fault with its place. `secrets` are those that there are. */
export function connectionFaults(settings: ConnectionSettings, secrets: ReadonlySet<string>): Issue[] {
  const { authentication } = settings;
  return [
    ...urlFaults(settings.baseUrl, "baseUrl", settings),
    ...(/[?#]/.test(settings.baseUrl)
      ? [{ path: "baseUrl", message: "has a query or a fragment: paths of steps are put behind it" }]
      : []),
    ...("tokenUrl" in authentication ? urlFaults(authentication.tokenUrl, "authentication.tokenUrl", settings) : []),
    ...(authentication.kind === "header" ? nameFaults(authentication.name, "authentication.name") : []),
    ...(authentication.kind === "header" && !headerValue.test(authentication.prefix ?? "")
      ? [{ path: "authentication.prefix", message: "has a character that no header can carry" }]
      : []),
    ...(authentication.kind === "basic" && authentication.username.includes(":")
      ? [{ path: "authentication.username", message: "has a colon, which ends a user's name in basic authentication" }]
      : []),
    ...secretPlacesOf(authentication).flatMap(([key, name]) => secretFaults(name, at("authentication", key), secrets)),
    ...headerFaults(settings.headers),
    ...certificateFaults(settings.certificateAuthority),
    ...settings.allowedHosts.flatMap((host, i) => hostFaults(host, at("allowedHosts", i))),
  ];
}

function urlFaults(text: string, path: string, { allowHttp, allowedHosts }: ConnectionSettings): Issue[] {
  if (text.includes("{{"))
    return [
      { path, message: "is an expression: a connection is the same for every run. Put what changes into the step" },
    ];
  if (!URL.canParse(text)) return [{ path, message: "is no URL. Write it whole: https://api.example.com/v1" }];
  const url = new URL(text);
  const { protocol, username, password } = url;
  if (protocol !== "https:" && protocol !== "http:")
    return [{ path, message: `begins with ${protocol}: only https and http are called` }];
  if (username !== "" || password !== "")
    return [{ path, message: `carries a user or password: use "authentication"` }];
  if (protocol === "http:" && !allowHttp && !isAllowedUrl(url, { allowedHosts }))
    return [
      {
        path,
        message: `is not encrypted. Use https, or say "allowHttp": true, or name the host in "allowedHosts", as ${url.hostname}:${portOf(url)}`,
      },
    ];
  return [];
}

function secretFaults(name: string, path: string, secrets: ReadonlySet<string>): Issue[] {
  if (secrets.has(name)) return [];
  const meant = didYouMean(name, secrets) || "; make it by POST /api/secrets";
  return [{ path, message: `there is no secret "${name}"${meant}` }];
}

function headerFaults(headers: Connection["headers"]): Issue[] {
  const names = Object.keys(headers);
  if (names.length > mostHeaders)
    return [{ path: "headers", message: `${names.length} headers; ${mostHeaders} are allowed` }];
  const seen = new Set<string>();
  return Object.entries(headers).flatMap(([name, value]) => {
    const path = at("headers", name);
    const key = name.toLowerCase();
    const isTwice = seen.has(key);
    seen.add(key);
    if (isTwice) return [{ path, message: "is there twice: letter case makes no difference in the name of a header" }];
    if (secretHeaders.has(key))
      return [{ path, message: `could be read by everybody: use "authentication", which names a secret` }];
    if (value.includes("{{")) return [{ path, message: "is an expression: a connection is the same for every run" }];
    if (!headerValue.test(value)) return [{ path, message: "has a line break or a letter that no header can carry" }];
    return nameFaults(name, path);
  });
}

function nameFaults(name: string, path: string): Issue[] {
  if (!headerName.test(name)) return [{ path, message: `"${name}" cannot be the name of a header` }];
  return clientsOwn.has(name.toLowerCase()) ? [{ path, message: `${name} is written by Tandem itself` }] : [];
}

function certificateFaults(pem: string | undefined): Issue[] {
  if (pem === undefined) return [];
  const path = "certificateAuthority";
  if (pem.includes("PRIVATE KEY")) return [{ path, message: "holds a private key; it takes certificates only" }];
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0)
    return [{ path, message: "holds no certificate. Write it as PEM: -----BEGIN CERTIFICATE----- …" }];
  const broken = blocks.findIndex((block) => !isCertificate(block));
  if (broken !== -1) return [{ path, message: `its certificate ${broken + 1} cannot be read` }];
  return [];
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).subject !== undefined;
  } catch {
    return false;
  }
}

function hostFaults(host: string, path: string): Issue[] {
  const isHost = URL.canParse(`ws://${host}`) && new URL(`ws://${host}`).host === host;
  // The scheme's own port is not repeated by a URL, but may be meant.
  if (isHost || (/^[^/@?#]+:80$/.test(host) && URL.canParse(`ws://${host}`))) return [];
  return [
    { path, message: `"${host}" is no host, in lower case, with or without a port: crm.internal:8080, [fd00::1]` },
  ];
}
