import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { publicUrl, type Config } from "../config.ts";
import { localUrl } from "./readiness.ts";
import type { Say } from "./progress.ts";

export interface WelcomeOptions {
  readonly config: Config;
  readonly directory: string;
  /** Where Temporal's Web UI is; undefined where nobody said. */
  readonly temporalUiUrl: string | undefined;
  readonly key: "show" | "name its file";
  readonly say: Say;
}

const mainJob = "web-form-leads";

/** What the `curl` line sends. */
const example = {
  firstName: "Ada",
  lastName: "Lovelace",
  email: "ada@analytical.example",
  company: "Analytical Engines",
  companyDomain: "analytical.example",
  role: "CTO",
  message: "Please call me about your product.",
};

/** Says where everything is, once all of it is up, and how to try it. */
export async function welcome({ config, directory, temporalUiUrl, key, say }: WelcomeOptions): Promise<void> {
  const base = publicUrl(config);
  const keyFile = join(directory, "api-key");
  const apiKey = await readFile(keyFile, "utf8").then(
    (text) => text.trim(),
    () => undefined,
  );
  const hook = apiKey === undefined ? undefined : await findHook(localUrl(config), apiKey);
  const lines = [
    "",
    "Tandem is up.",
    `  API           ${base}/docs${config.PUBLIC_URL === undefined ? "  (reachable from this machine only)" : ""}`,
    `  Temporal UI   ${temporalUiUrl ?? "not known; set TEMPORAL_UI_URL"}`,
    `  Mailbox       ${config.SMTP_URL === undefined ? `${base}/mailbox` : "not used, since SMTP_URL is set"}`,
    `  API key       ${describeKey(apiKey, keyFile, key)}`,
    "",
    ...(hook === undefined ? [] : ["Send it a web form:", `  ${formCommand(hook)}`, ""]),
  ];
  say(lines.join("\n"));
}

function formCommand(url: string): string {
  return `curl -X POST ${url} -H 'content-type: application/json' -d '${JSON.stringify(example)}'`;
}

function describeKey(apiKey: string | undefined, file: string, key: WelcomeOptions["key"]): string {
  if (apiKey === undefined) return `made by an earlier start; ${file} is gone`;
  return key === "show" ? `${apiKey}  (also in ${file})` : `in ${file}`;
}

const workflowsSchema = z.object({ data: z.array(z.object({ id: z.string(), key: z.string(), status: z.string() })) });
const workflowSchema = z.object({ triggers: z.array(z.object({ kind: z.string(), url: z.string().optional() })) });

/** The address of the main job's webhook; undefined where somebody removed or switched it off. */
async function findHook(base: string, apiKey: string): Promise<string | undefined> {
  const ask = async (path: string): Promise<unknown> => {
    const headers = { authorization: `Bearer ${apiKey}` };
    const response = await fetch(`${base}${path}`, { headers, signal: AbortSignal.timeout(10_000) });
    return response.json();
  };
  try {
    const { data } = workflowsSchema.parse(await ask("/api/workflows?limit=200"));
    const workflow = data.find(({ key, status }) => key === mainJob && status === "active");
    if (workflow === undefined) return undefined;
    const { triggers } = workflowSchema.parse(await ask(`/api/workflows/${workflow.id}`));
    return triggers.find(({ kind }) => kind === "webhook")?.url;
  } catch {
    return undefined;
  }
}
