import { join } from "node:path";
import { loadClientConnectConfig } from "@temporalio/envconfig";

/** Any of these says that somebody has a Temporal; a profile alone, in the user's default file, does not. */
const choosing = ["TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_CONFIG_FILE"];

/**
 * host:port of the Temporal that the standard variables name; undefined where they name none and one
 * has to be brought.
 */
export function findConfiguredTemporal(environment: NodeJS.ProcessEnv): string | undefined {
  if (!choosing.some((name) => (environment[name] ?? "") !== "")) return undefined;
  const { connectionOptions } = loadClientConnectConfig({ overrideEnvVars: definedOnly(environment) });
  return connectionOptions.address;
}

/** The environment in which our programs find the server that we brought, and nothing of another's keys. */
export function withOwnTemporal(
  environment: NodeJS.ProcessEnv,
  { address, directory }: { address: string; directory: string },
): NodeJS.ProcessEnv {
  const kept = ["TEMPORAL_NAMESPACE", "TEMPORAL_UI_URL", "TEMPORAL_CLI_PATH"];
  const others = Object.entries(environment).filter(([name]) => !name.startsWith("TEMPORAL_") || kept.includes(name));
  return {
    ...Object.fromEntries(others),
    TEMPORAL_ADDRESS: address,
    // No such file: else a profile in the user's own would add its keys and certificates.
    TEMPORAL_CONFIG_FILE: join(directory, "temporal", "none.toml"),
  };
}

function definedOnly(environment: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}
