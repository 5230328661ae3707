import type { Json } from "../../json.ts";
import type { Sql } from "../../sql.ts";
import type { Workspace } from "../../workspace.ts";

/** What names an object or a field. */
export interface Use {
  readonly kind: "workflow" | "runs" | "view";
  /** Key of the workflow, name of the view. */
  readonly name: string;
  /** The first place in the definition. */
  readonly at: string;
}

interface Named {
  readonly object: string;
  /** The field, and its relation's name; absent: the object itself. */
  readonly fields?: readonly string[];
}

/** What names it: active versions of workflows, versions that open runs belong to, views. */
export async function findUses(sql: Sql, workspace: Pick<Workspace, "id">, named: Named): Promise<Use[]> {
  const { rows } = await sql.query<{ key: string; active: boolean; definition: Json }>(
    `select w.key, v.status = 'active' and w.status = 'active' as active, v.definition from tandem.workflow_versions v
       join tandem.workflows w on w.id = v.workflow_id
     where w.workspace_id = $1::uuid and (v.status = 'active' and w.status = 'active' or exists (
       select 1 from tandem.runs r where r.version_id = v.id and r.status in ('queued', 'starting', 'running', 'waiting')))`,
    [workspace.id],
  );
  const inWorkflows = rows.flatMap(({ key, active, definition }): Use[] => {
    const at = findName(definition, named);
    return at === undefined ? [] : [{ kind: active ? "workflow" : "runs", name: key, at }];
  });
  return [...inWorkflows, ...(await findViews(sql, workspace, named))];
}

async function findViews(sql: Sql, workspace: Pick<Workspace, "id">, named: Named): Promise<Use[]> {
  const { rows } = await sql.query<{ name: string; document: Json }>(
    `select v.name, jsonb_build_object('object', o.name, 'filter', v.filter, 'sort', v.sort, 'columns', v.columns) as document
     from tandem.views v join tandem.objects o on o.id = v.object_id where v.workspace_id = $1::uuid`,
    [workspace.id],
  );
  return rows.flatMap(({ name, document }): Use[] => {
    const at = findName(document, named);
    return at === undefined ? [] : [{ kind: "view", name, at }];
  });
}

/** Uses as a sentence lists them. */
export function describeUses(uses: readonly Use[]): string {
  return uses
    .map(({ kind, name, at }) => {
      if (kind === "view") return `the view "${name}" (${at})`;
      return kind === "workflow" ? `the workflow "${name}" (${at})` : `open runs of the workflow "${name}" (${at})`;
    })
    .join(", ");
}

/**
 * The first place in a document that names a field, where the document names its object as well. A
 * word that only looks the same counts too: what is taken away for nothing is worse than what stays.
 */
function findName(document: Json, { object, fields }: Named): string | undefined {
  const ofObject = findWord(document, new Set([object]), { at: "", keys: false });
  const ofAny = findWord(document, new Set(["trigger.object"]), { at: "", keys: false });
  if (fields === undefined) return ofObject;
  if (ofObject === undefined && ofAny === undefined) return undefined;
  return findWord(document, new Set(fields), { at: "", keys: true });
}

function findWord(
  value: Json,
  words: ReadonlySet<string>,
  { at, keys }: { at: string; keys: boolean },
): string | undefined {
  if (typeof value === "string") {
    if (words.has(value) || (words.has("trigger.object") && value.includes("trigger.object"))) return at;
    return keys && value.match(/\w+/g)?.some((word) => words.has(word)) === true ? at : undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  for (const [key, item] of Object.entries(value)) {
    const place = Array.isArray(value) ? `${at}[${key}]` : at === "" ? key : `${at}.${key}`;
    if (keys && !Array.isArray(value) && words.has(key)) return place;
    const found = findWord(item, words, { at: place, keys });
    if (found !== undefined) return found;
  }
  return undefined;
}
