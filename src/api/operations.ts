import { Router } from "express";
import type { InstallationStatus } from "../runs/status.ts";
import { readStatus } from "../runs/status.ts";
import type { SqlPool } from "../sql.ts";
import type { Metrics } from "./metrics.ts";
import { refuseMethod } from "./mount.ts";

/** `/health`, `/ready` and `/metrics`: what machines that watch the gateway ask, without a key. */
export function operationsRoutes({ pool, metrics }: { pool: SqlPool; metrics: Metrics }): Router {
  const router = Router();
  router.get("/health", (_request, response) => {
    response.json({ status: "ok" });
  });
  router.get("/ready", async (_request, response) => {
    const state = await readStatus(pool).then(describe, unreachable);
    response
      .status(state.ready ? 200 : 503)
      .set("cache-control", "no-store")
      .json(state);
  });
  router.get("/metrics", async (_request, response) => {
    const { contentType, text } = await metrics.expose();
    response.type(contentType).send(text);
  });
  router.all(["/health", "/ready", "/metrics"], refuseMethod(["GET"]));
  return router;
}

interface Readiness {
  /** This gateway can accept. Temporal, workers and mail may be away: what is accepted waits for them. */
  readonly ready: boolean;
  readonly postgres: { readonly up: boolean; readonly migrated: boolean };
  readonly temporal: { readonly up: boolean };
  readonly workers: { readonly up: boolean; readonly count: number };
  readonly mail: { readonly up: boolean };
}

function describe({ made, workers }: InstallationStatus): Readiness {
  const latest = workers[0]?.state;
  return {
    ready: made,
    postgres: { up: true, migrated: made },
    temporal: latest?.temporal ?? { up: false },
    workers: { up: workers.length > 0, count: workers.length },
    mail: latest?.mail ?? { up: false },
  };
}

function unreachable(): Readiness {
  const up = false;
  return { ready: false, postgres: { up, migrated: false }, temporal: { up }, workers: { up, count: 0 }, mail: { up } };
}
