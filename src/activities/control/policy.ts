/** Control steps meet no target that could answer later: they are tried once. */
export const controlPolicy = {
  timeoutMs: 30_000,
  retry: { maximumAttempts: 1, initialIntervalMs: 1_000, backoffCoefficient: 2, maximumIntervalMs: 60_000 },
} as const;
