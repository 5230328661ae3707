import { defineConfig } from "vitest/config";

/** One Postgres and one Temporal a run (test/support/global-setup.ts), a database a test file. */
const config = defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    teardownTimeout: 60_000,
    reporters: process.env["TANDEM_TEST_REPORT"] === undefined ? ["default"] : ["default", "json"],
    ...(process.env["TANDEM_TEST_REPORT"] === undefined
      ? {}
      : { outputFile: { json: process.env["TANDEM_TEST_REPORT"] } }),
  },
});

export default config;
