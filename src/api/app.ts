import express, { type Express, type Router } from "express";
import type { StepKinds } from "../activities/step-kind.ts";
import { ProblemError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { FinishedRuns } from "../runs/finished.ts";
import type { SqlPool } from "../sql.ts";
import type { Vault } from "../vault/vault.ts";
import { authenticate } from "./auth.ts";
import { docsRoutes } from "./docs.ts";
import type { Endpoint } from "./endpoint.ts";
import type { Gate } from "./gate.ts";
import { hookRoute } from "./hooks/route.ts";
import { createMetrics } from "./metrics.ts";
import { mountEndpoints } from "./mount.ts";
import { createOpenApi } from "./openapi.ts";
import { operationsRoutes } from "./operations.ts";
import { problemHandler } from "./problem.ts";
import { nameRequests } from "./request-id.ts";
import { questionPage } from "./questions/page.ts";
import { restProblems } from "./rest/problems.ts";

/** What the gateway is made of. */
export interface AppParts {
  readonly pool: SqlPool;
  readonly log: Log;
  /** What every link starts with. */
  readonly publicUrl: string;
  /** Proxies whose X-Forwarded-* are believed; undefined: none. */
  readonly trustProxy?: string | undefined;
  /** Of which versions are compiled. */
  readonly kinds: StepKinds;
  readonly vault: Vault;
  /** For senders who are answered when the run is over. */
  readonly finished: FinishedRuns;
  readonly endpoints: readonly Endpoint[];
  /** What the endpoints stand behind. */
  readonly gate: Gate;
  /** The page `/mailbox`, which opens without a key and asks for it. */
  readonly mailboxPage: Router;
  /** `/rest/{plural}`, behind a key. */
  readonly rest: Router;
}

/** The gateway as an Express app; whoever has it listens. Webhooks come first and pass nothing else. */
export function createApp(parts: AppParts): Express {
  const { pool, log } = parts;
  const metrics = createMetrics(pool);
  const app = express();
  app.disable("x-powered-by").disable("etag").set("env", "production");
  app.set("trust proxy", parts.trustProxy ?? false);
  app.all("/hooks/:token", hookRoute({ ...parts, metrics }));
  app.use((_request, response, next) => {
    response.set({ "x-content-type-options": "nosniff", "referrer-policy": "no-referrer" });
    next();
  });
  app.use(operationsRoutes({ pool, metrics }));
  app.use(docsRoutes(createOpenApi(parts.endpoints, parts.publicUrl)));
  app.use("/mailbox", parts.mailboxPage);
  app.use("/questions", questionPage(pool));
  app.use(["/api", "/rest"], nameRequests(), authenticate(parts));
  app.use(mountEndpoints(parts.endpoints, parts.gate));
  app.use("/rest", parts.rest);
  app.use((request) => {
    throw new ProblemError(404, "not-found", `There is nothing at ${request.path}. The API is described at /docs.`);
  });
  // What is refused before the records' own router is told in Twenty's terms too.
  app.use("/rest", restProblems(log));
  app.use(problemHandler(log));
  return app;
}
