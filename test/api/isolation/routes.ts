import type { Router } from "express";
import { createEndpoints } from "../../../src/api/endpoints.ts";
import { createRestRouter } from "../../../src/api/rest/router.ts";
import { createLog } from "../../../src/log.ts";
import type { SqlPool } from "../../../src/sql.ts";
import { triggerKinds } from "../../../src/triggers/registry.ts";
import { recordKinds } from "../../support/engine.ts";
import { createTestGate } from "../../support/gate.ts";
import { httpParts } from "../../support/http.ts";
import { createTestVault } from "../../support/vault.ts";

/** A method and a path with its parameters in braces. */
export interface Route {
  readonly method: string;
  readonly path: string;
}

/** Every route behind a key, as the app has it. */
export function allRoutes(pool: SqlPool): Route[] {
  const { audit, gate } = createTestGate(pool);
  const endpoints = createEndpoints({
    pool,
    publicUrl: "",
    kinds: recordKinds,
    triggerKinds,
    quickLane: true,
    vault: createTestVault(pool),
    audit,
    http: httpParts(pool),
  });
  return [
    ...endpoints.map(({ method, path }) => ({ method: method.toUpperCase(), path })),
    ...routesOf(createRestRouter({ pool, log: createLog("test", "fatal"), gate })).map(({ method, path }) => ({
      method,
      path: `/rest${path}`,
    })),
  ];
}

function routesOf(router: Router): Route[] {
  return router.stack.flatMap(({ route, handle }) => {
    if (route !== undefined) {
      const path = route.path.replaceAll(/:(\w+)/g, "{$1}");
      const methods = Object.keys((route as unknown as { methods: Record<string, boolean> }).methods);
      return methods.filter((method) => method !== "_all").map((method) => ({ method: method.toUpperCase(), path }));
    }
    return "stack" in handle ? routesOf(handle as unknown as Router) : [];
  });
}
