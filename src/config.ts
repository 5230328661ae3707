import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

/** The folder of the project: where package.json, migrations/ and templates/ lie. */
export const projectRoot = findProjectRoot(dirname(fileURLToPath(import.meta.url)));

const port = z.coerce.number().int().min(1).max(65_535);
/** Whoever sends through one that is believed may name any address as its own: "true" or a count is no answer. */
function isProxy(text: string): boolean {
  if (["loopback", "linklocal", "uniquelocal"].includes(text)) return true;
  const [address = "", bits = "1", ...rest] = text.split("/");
  const most = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  return rest.length === 0 && /^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most;
}

const flag = z.enum(["true", "false"]).transform((text) => text === "true");

/** Every environment variable that Tandem reads, with what it means when it is absent. */
const environment = z.object({
  DATABASE_URL: z
    .string()
    .min(1)
    .optional()
    .describe("Postgres (15 or newer); absent: one is brought and kept in DATA_DIR"),
  DATABASE_DIRECT_URL: z
    .string()
    .min(1)
    .optional()
    .describe("Postgres without a pooler in between, for LISTEN and migrations; absent: DATABASE_URL"),
  TEMPORAL_ADDRESS: z
    .string()
    .min(1)
    .optional()
    .describe("Temporal's frontend, host:port; absent: a dev server is brought and kept in DATA_DIR"),
  TEMPORAL_NAMESPACE: z.string().min(1).default("default").describe("Temporal namespace"),
  TEMPORAL_UI_URL: z
    .string()
    .min(1)
    .optional()
    .describe("where Temporal's Web UI is, for links; absent: the one that was brought, if any"),
  TEMPORAL_CLI_PATH: z.string().min(1).optional().describe("a temporal binary to use instead of looking for one"),
  SMTP_URL: z
    .string()
    .min(1)
    .optional()
    .describe("smtp:// or smtps:// of the mail server; absent: mail goes to Tandem's own mailbox"),
  MAIL_FROM: z.string().min(1).default("tandem@localhost").describe("the sender of every mail"),
  MAIL_FROM_DOMAINS: z
    .string()
    .regex(
      /^\s*[A-Za-z0-9.-]+(\s*,\s*[A-Za-z0-9.-]+)*\s*$/,
      "domains with commas between them: example.com, mail.example.com",
    )
    .optional()
    .describe("domains of which the sender that a step names may be; absent: MAIL_FROM's own"),
  MAILBOX_SMTP_PORT: port
    .optional()
    .describe("port on which the gateway's own mailbox listens for SMTP; chosen by npm start"),
  HOST: z.string().min(1).default("127.0.0.1").describe("address on which the gateway listens"),
  PORT: port.default(3000).describe("port on which the gateway listens"),
  PUBLIC_URL: z.url().optional().describe("how others reach the gateway; every printed or mailed link starts with it"),
  TRUST_PROXY: z
    .string()
    .min(1)
    .refine(
      (list) => list.split(",").every((proxy) => isProxy(proxy.trim())),
      "addresses or ranges with commas between them, such as 10.0.0.0/8, or loopback, linklocal, uniquelocal",
    )
    .optional()
    .describe("addresses of proxies whose X-Forwarded-* are believed; absent: none"),
  DATA_DIR: z.string().min(1).default(".tandem").describe("where what npm start brings is kept"),
  MASTER_KEY: z
    .string()
    .min(1)
    .optional()
    .describe("32 bytes in base64 that secrets are sealed with; absent: a key is made and kept in DATA_DIR"),
  MASTER_KEY_PREVIOUS: z
    .string()
    .min(1)
    .optional()
    .describe("the key before MASTER_KEY, until npm run rotate-master-key is done; several with commas between them"),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal"])
    .default("info")
    .describe("least severe level that is logged"),
  QUICK_LANE: flag
    .default(true)
    .describe("false: every step of versions activated from now on is an activity of its own (tests and bench)"),
  RUN_HISTORY_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(3_650)
    .default(30)
    .describe("days after which a closed run is forgotten"),
  AUDIT_DAYS: z.coerce
    .number()
    .int()
    .min(1)
    .max(36_500)
    .default(365)
    .describe("days for which the audit of the API's calls is kept"),
  WORKER_RUNS_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(40)
    .describe("record steps and blocks at once in one worker"),
  WORKER_HTTP_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(50)
    .describe("calls of outside APIs that a worker makes at once"),
  WORKER_CODE_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(2)
    .describe("jobs of users' code that a worker runs at once"),
  CODE_MAX_TIME_MS: z.coerce
    .number()
    .int()
    .min(1_000)
    .max(600_000)
    .default(30_000)
    .describe("milliseconds that a step of users' code may ask for at most"),
  CODE_MAX_MEMORY_MIB: z.coerce
    .number()
    .int()
    .min(64)
    .max(1_024)
    .default(256)
    .describe("mebibytes that a step of users' code may ask for at most"),
  WORKER_EMAIL_CONCURRENCY: z.coerce
    .number()
    .int()
    .min(1)
    .max(1_000)
    .default(10)
    .describe("mails being sent at once in one worker"),
});

export type Config = Readonly<z.output<typeof environment>>;

/** The names of all variables with their descriptions, for the document that lists them. */
export const environmentKeys: ReadonlyArray<{ name: string; description: string }> = Object.entries(
  environment.shape,
).map(([name, schema]) => ({
  name,
  description: schema.description ?? "",
}));

/**
 * The configuration from the environment, checked once. Empty variables count as absent.
 * Throws an Error whose message names every variable that is wrong.
 */
export function readConfig(variables: NodeJS.ProcessEnv = process.env): Config {
  const given = Object.fromEntries(
    Object.entries(variables).filter(([name, value]) => name in environment.shape && value !== ""),
  );
  const parsed = environment.safeParse(given);
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`);
  throw new Error(`The environment is not valid. ${faults.join("; ")}. See .env.example.`);
}

/** DATABASE_URL, which every process but the supervisor needs. */
export function getDatabaseUrl(config: Config): string {
  if (config.DATABASE_URL === undefined) {
    throw new Error(
      "DATABASE_URL is not set. `npm start` brings a Postgres and sets it; a process started by itself needs it.",
    );
  }
  return config.DATABASE_URL;
}

/** DATA_DIR as an absolute path; relative ones count from the project's folder. */
export function dataDirectory(config: Config): string {
  return resolve(projectRoot, config.DATA_DIR);
}

/** Where the keys are that secrets are sealed with. */
export function masterKeySource(config: Config): {
  given: string | undefined;
  previous: string | undefined;
  directory: string;
} {
  return { given: config.MASTER_KEY, previous: config.MASTER_KEY_PREVIOUS, directory: dataDirectory(config) };
}

/** What every link starts with, without a slash at the end. */
export function publicUrl(config: Config): string {
  return (
    config.PUBLIC_URL ?? `http://${config.HOST.includes(":") ? `[${config.HOST}]` : config.HOST}:${config.PORT}`
  ).replace(/\/+$/, "");
}

function findProjectRoot(from: string): string {
  if (existsSync(join(from, "package.json"))) return from;
  const parent = dirname(from);
  if (parent === from)
    throw new Error("package.json was not found above Tandem's own files: the installation is incomplete.");
  return findProjectRoot(parent);
}
