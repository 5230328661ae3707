import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse as parseYaml } from "yaml";
import { projectRoot } from "../config.ts";
import { createId } from "../ids.ts";
import { validateDefinition } from "../definition/validate.ts";
import { inTransaction, type SqlPool } from "../sql.ts";
import { activateWorkflow } from "./activation.ts";
import { insertWorkflow, type Catalog } from "./drafts.ts";

/** A workflow that comes with Tandem. */
export interface Template {
  readonly id: string;
  /** The definition as it lies in the file. */
  readonly document: unknown;
  /** Its page for people, in markdown. */
  readonly readme: string;
  /** Payloads to try it with, by name. */
  readonly samples: Readonly<Record<string, unknown>>;
}

const directory = join(projectRoot, "templates");

/** Every shipped template, by its folder's name. */
export async function listTemplates(): Promise<Template[]> {
  const ids = (await readdir(directory, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  return Promise.all(ids.toSorted().map(readTemplate));
}

async function readTemplate(id: string): Promise<Template> {
  const folder = join(directory, id);
  const samples = join(folder, "samples");
  const files = (await readdir(samples)).filter((file) => file.endsWith(".json")).toSorted();
  const read = async (file: string): Promise<[string, unknown]> => [
    file.replace(/\.json$/, ""),
    JSON.parse(await readFile(join(samples, file), "utf8")),
  ];
  return {
    id,
    document: parseDocument(await readFile(join(folder, "definition.yaml"), "utf8")),
    readme: await readFile(join(folder, "README.md"), "utf8"),
    samples: Object.fromEntries(await Promise.all(files.map(read))),
  };
}

/** A definition's YAML as JSON. Aliases are bounded, so that a small text cannot grow without end. */
export function parseDocument(text: string): unknown {
  return parseYaml(text, { maxAliasCount: 50, merge: false, version: "1.2" });
}

/**
 * Installs the templates that a workspace lacks, active or (`activate: false`) as drafts; those it has,
 * it keeps as they are.
 */
export async function installTemplates(
  pool: SqlPool,
  catalog: Catalog,
  { activate = true }: { activate?: boolean } = {},
): Promise<void> {
  for (const template of await listTemplates()) {
    const workflowId = await installTemplate(pool, catalog, template);
    if (activate && workflowId !== undefined) await activateWorkflow(pool, catalog, workflowId);
  }
}

/** The workflow's id where it is there as a draft: just installed, or by a start that was killed before it went on. */
async function installTemplate(pool: SqlPool, catalog: Catalog, template: Template): Promise<string | undefined> {
  const validated = validateDefinition(template.document, catalog);
  if (validated.definition === undefined) {
    const faults = validated.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new Error(`The template ${template.id} is not valid: ${faults}`);
  }
  const { definition } = validated;
  return inTransaction(pool, async (sql) => {
    // One installer at a time: a workflow that is there, active or not, is the workspace's own affair.
    await sql.query("select 1 from tandem.workspaces where id = $1 for update", [catalog.workspaceId]);
    const { rows } = await sql.query<{ id: string; status: string; template: string | null }>(
      "select id, status, template from tandem.workflows where workspace_id = $1 and key = $2",
      [catalog.workspaceId, definition.key],
    );
    const present = rows[0];
    if (present !== undefined) {
      return present.template === template.id && present.status === "draft" ? present.id : undefined;
    }
    const id = createId();
    await insertWorkflow(sql, {
      workflowId: id,
      workspaceId: catalog.workspaceId,
      definition,
      document: template.document,
      template: template.id,
    });
    return id;
  });
}
