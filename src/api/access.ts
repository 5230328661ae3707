import { ProblemError } from "../errors.ts";
import { includesRole, type Role } from "../vault/api-keys.ts";
import type { Caller } from "./auth.ts";

/** Who may read what belongs to an area, and who may change it. */
interface AreaRoles {
  readonly read: Role;
  readonly write: Role;
}

/** What scopes are about. */
const areas = {
  workflows: { read: "viewer", write: "editor" },
  runs: { read: "viewer", write: "editor" },
  deliveries: { read: "viewer", write: "editor" },
  records: { read: "viewer", write: "editor" },
  objects: { read: "viewer", write: "admin" },
  secrets: { read: "viewer", write: "admin" },
  connections: { read: "viewer", write: "admin" },
  settings: { read: "viewer", write: "admin" },
  mailbox: { read: "viewer", write: "admin" },
  "api-keys": { read: "admin", write: "admin" },
  audit: { read: "admin", write: "admin" },
  workspaces: { read: "admin", write: "admin" },
} satisfies Record<string, AreaRoles>;

export type Area = keyof typeof areas;

/** Areas of what lies under another name: the first part of a path below /api. */
const areaOf: Readonly<Record<string, Area>> = {
  admission: "runs",
  alerts: "runs",
  backfills: "workflows",
  "definition-schema": "workflows",
  exports: "records",
  imports: "records",
  launches: "workflows",
  once: "runs",
  "outcomes-unknown": "runs",
  questions: "runs",
  "record-events": "records",
  schedules: "workflows",
  "step-kinds": "workflows",
  templates: "workflows",
  "trigger-kinds": "workflows",
  views: "records",
};

/** The scopes that a key can have. To write includes to read. */
export const scopes: readonly string[] = Object.keys(areas).flatMap((area) => [`${area}:read`, `${area}:write`]);

/** What a route says of itself where its method and path do not say it right. */
export interface AccessDeclaration {
  /** Its area; null: it is every key's, whatever its scopes. */
  readonly area?: Area | null;
  readonly role?: Role;
  /**
   * What a call changes. `nothing`: whoever may read may call it, and it leaves no row in the audit.
   * `elsewhere`: not what its address names, which is not looked at before and after. Default: `nothing`
   * for GET, for the rest what the address names.
   */
  readonly changes?: "nothing" | "elsewhere";
}

/** What a route asks of a key. */
export interface Access {
  readonly role: Role;
  /** `records:write`; null: none. */
  readonly scope: string | null;
  readonly changes: "nothing" | "elsewhere" | "target";
}

/**
 * What a route asks of a key: by its path the area, by its method whether it reads or writes, unless it says
 * otherwise. A path that nobody has named is an admin's to write, and for keys without scopes only.
 */
export function accessOf(
  { method, path }: { method: string; path: string },
  { area: declared, role, changes: said }: AccessDeclaration = {},
): Access {
  const changes = said ?? (method.toLowerCase() === "get" ? "nothing" : "target");
  const verb = changes === "nothing" ? "read" : "write";
  const area = declared === undefined ? areaOfPath(path) : declared;
  if (area === null) return { role: role ?? "viewer", scope: null, changes };
  const usual: AreaRoles = isArea(area) ? areas[area] : { read: "viewer", write: "admin" };
  return { role: role ?? usual[verb], scope: `${area}:${verb}`, changes };
}

function areaOfPath(path: string): string {
  const [, first = "", second = "", third = ""] = path.split("/");
  if (first === "rest")
    return second === "metadata" || (second === "open-api" && third === "metadata") ? "objects" : "records";
  return areaOf[second] ?? second;
}

function isArea(text: string): text is Area {
  return Object.hasOwn(areas, text);
}

/** Whether scopes hold one; null is all of them. */
export function includesScope(scopesOrAll: readonly string[] | null, scope: string): boolean {
  if (scopesOrAll === null || scopesOrAll.includes(scope)) return true;
  return scope.endsWith(":read") && scopesOrAll.includes(scope.replace(/:read$/, ":write"));
}

/** Throws ProblemError 403 where a key may not call a route. `what` names it: `POST /api/secrets`. */
export function requireAccess({ role, scope }: Access, { apiKey }: Caller, what: string): void {
  if (!includesRole(apiKey.role, role))
    throw new ProblemError(
      403,
      "role-required",
      `${what} takes the key of ${article(role)}; this one is ${article(apiKey.role)}'s. An admin makes keys by POST /api/api-keys.`,
    );
  if (scope === null || includesScope(apiKey.scopes, scope)) return;
  throw new ProblemError(
    403,
    "scope-required",
    `${what} takes a key with the scope ${scope}; this one has ${apiKey.scopes?.join(", ") || "none"}.`,
  );
}

function article(role: Role): string {
  return role === "viewer" ? "a viewer" : `an ${role}`;
}
