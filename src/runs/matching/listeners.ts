import { z } from "zod";
import type { StepKinds } from "../../activities/step-kind.ts";
import { findArmedTriggers, type ArmedTrigger } from "../../catalog/triggers.ts";
import { loadVersion } from "../../catalog/versions.ts";
import { getObjects } from "../../crm/load-objects.ts";
import type { Objects, Origin } from "../../crm/objects.ts";
import type { JsonObject } from "../../json.ts";
import { createRecent } from "../../recent.ts";
import type { Sql } from "../../sql.ts";
import { compileRecordTrigger, type RecordTrigger } from "../../triggers/record-event/match.ts";
import { recordEventSettings, type RecordEventSettings } from "../../triggers/record-event/settings.ts";

export const recordEventKind = "record-event";

/** A record trigger of an active workflow, ready for events. */
export interface Listener {
  readonly armed: ArmedTrigger;
  readonly settings: RecordEventSettings;
  readonly trigger: RecordTrigger;
  /** Whether it takes no notice of what this run wrote. */
  ignores(origin: Origin | null): boolean;
}

/** A workflow's listeners of one object, in the order of its definition. */
export type Listening = readonly Listener[];

/** Who listens, by workspace and object. */
export interface Listeners {
  of(event: { readonly workspaceId: string; readonly object: string }): readonly Listening[];
}

const mostKept = 2_000;
interface Compiled {
  readonly revision: number;
  readonly objects: Objects;
  readonly settings: RecordEventSettings;
  readonly trigger: RecordTrigger;
}
const kept = createRecent<string, Compiled>(mostKept);

/** Everyone who listens in these workspaces, as it is now: of what is kept in memory each has its revision. */
export async function findListeners(
  sql: Sql,
  { kinds }: { kinds: StepKinds },
  workspaceIds: readonly string[],
): Promise<Listeners> {
  const armed = await findArmedTriggers(sql, { kind: recordEventKind, workspaceIds });
  const ignored = await findIgnored(sql, armed);
  const places = new Map<string, Listening[]>();
  for (const own of groupByWorkflow(armed)) {
    const listeners = await inOrder(sql, kinds, await Promise.all(own.map((one) => prepare(sql, one, ignored))));
    for (const object of new Set(listeners.flatMap(({ trigger }) => [...trigger.objects]))) {
      const place = placeOf(own[0]?.workspace.id ?? "", object);
      const here = listeners.filter(({ trigger }) => trigger.objects.has(object));
      places.set(place, [...(places.get(place) ?? []), here]);
    }
  }
  return { of: ({ workspaceId, object }) => places.get(placeOf(workspaceId, object)) ?? [] };
}

function placeOf(workspaceId: string, object: string): string {
  return `${workspaceId} ${object}`;
}

function groupByWorkflow(armed: readonly ArmedTrigger[]): ArmedTrigger[][] {
  const groups = new Map<string, ArmedTrigger[]>();
  for (const one of armed) groups.set(one.workflowId, [...(groups.get(one.workflowId) ?? []), one]);
  return [...groups.values()];
}

async function prepare(sql: Sql, armed: ArmedTrigger, ignored: Ignored): Promise<Listener> {
  const { settings, trigger } = compileOrSay(armed, await getObjects(sql, armed.workspace));
  const others = ignored.get(armed.workspace.id);
  const strangers = new Set(settings.ignoreWritesBy.flatMap((key) => others?.get(key) ?? []));
  return {
    armed,
    settings,
    trigger,
    ignores(origin) {
      if (origin === null) return false;
      return origin.workflowId === armed.workflowId
        ? settings.ownWrites === "ignore"
        : strangers.has(origin.workflowId);
    },
  };
}

function compile(armed: ArmedTrigger, objects: Objects): Pick<Compiled, "settings" | "trigger"> {
  const key = `${armed.workflowId} ${armed.triggerId}`;
  const known = kept.get(key);
  if (known?.revision === armed.revision && known.objects === objects) return known;
  const settings = recordEventSettings.parse(armed.trigger);
  const trigger = compileRecordTrigger(settings, objects);
  kept.set(key, { revision: armed.revision, objects, settings, trigger });
  return { settings, trigger };
}

/** Settings that cannot be read any more keep nobody else: their workflow has failed runs that say so. */
function compileOrSay(armed: ArmedTrigger, objects: Objects): Pick<Compiled, "settings" | "trigger"> {
  try {
    return compile(armed, objects);
  } catch (error) {
    const named = naming.safeParse(armed.trigger).data?.objects ?? [];
    const settings = recordEventSettings.parse({ objects: [armed.kind], events: ["created"] });
    const say = (): never => {
      throw error;
    };
    return { settings, trigger: { objects: new Set(named), matches: say, concerns: say } };
  }
}

const naming = z.object({ objects: z.array(z.string()) });

/** As the definition has them: where two of a workflow's triggers match an event, the first starts its run. */
async function inOrder(sql: Sql, kinds: StepKinds, listeners: readonly Listener[]): Promise<readonly Listener[]> {
  const [first, ...others] = listeners;
  if (first === undefined || others.length === 0) return listeners;
  // A version that cannot be read makes failed runs, which say why; their order is no matter then.
  const version = await loadVersion(sql, first.armed.versionId, { kinds }).catch(() => undefined);
  const place = ({ armed }: Listener): number =>
    version?.definition.triggers.findIndex(({ id }) => id === armed.triggerId) ?? 0;
  return listeners.toSorted((a, b) => place(a) - place(b));
}

/** Ids of workflows by workspace and key. */
type Ignored = ReadonlyMap<string, ReadonlyMap<string, string>>;

const ignoring = z.object({ ignoreWritesBy: z.array(z.string()).default([]) });

async function findIgnored(sql: Sql, armed: readonly ArmedTrigger[]): Promise<Ignored> {
  const keys = new Set(armed.flatMap(({ trigger }) => keysOf(trigger)));
  if (keys.size === 0) return new Map();
  const { rows } = await sql.query<{ workspaceId: string; ids: { [key: string]: string } }>({
    name: "ignored_workflows",
    text: `select workspace_id as "workspaceId", jsonb_object_agg(key, id) as ids from tandem.workflows
      where workspace_id = any($1::uuid[]) and key = any($2::text[]) group by 1`,
    values: [[...new Set(armed.map(({ workspace }) => workspace.id))], [...keys]],
  });
  return new Map(rows.map(({ workspaceId, ids }) => [workspaceId, new Map(Object.entries(ids))]));
}

function keysOf(trigger: JsonObject): string[] {
  return ignoring.safeParse(trigger).data?.ignoreWritesBy ?? [];
}
