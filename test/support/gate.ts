import { createAudit, type Audit } from "../../src/api/audit.ts";
import { createGate, type Gate } from "../../src/api/gate.ts";
import { createLog } from "../../src/log.ts";
import type { SqlPool } from "../../src/sql.ts";

/** What the routes of a test stand behind, and what that writes. */
export function createTestGate(pool: SqlPool): { audit: Audit; gate: Gate } {
  const audit = createAudit({ pool, log: createLog("test", "fatal") });
  return { audit, gate: createGate(audit) };
}
