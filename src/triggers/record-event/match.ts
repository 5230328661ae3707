import type { CrmObject, Objects } from "../../crm/objects.ts";
import type { Issue } from "../../errors.ts";
import { sameJson } from "../../definition/expressions/values.ts";
import { compileChangeTest, type ChangeTest } from "./condition.ts";
import { happeningOf, type Happening, type RecordEvent, type Transition } from "./event.ts";
import type { RecordEventSettings } from "./settings.ts";

/** A trigger made ready for events of the objects as they are. */
export interface RecordTrigger {
  readonly objects: ReadonlySet<string>;
  /** Whether an event is one of those that it watches for. Throws where its condition names what is not there any more. */
  matches(event: RecordEvent): boolean;
  /** Whether an event is of its objects, kinds and fields, whatever its condition says. */
  concerns(event: RecordEvent): boolean;
}

/** Compiles settings once for many events. */
export function compileRecordTrigger(settings: RecordEventSettings, objects: Objects): RecordTrigger {
  const happenings = happeningsOf(settings);
  const fields = settings.fields === undefined ? undefined : new Set(settings.fields);
  const tests = new Map(settings.objects.map((name) => [name, testOf(settings, objects.find(name))]));
  const concerns = (event: RecordEvent): boolean => {
    const happening = happeningOf(event);
    if (happening === undefined || !tests.has(event.object) || !happenings.has(happening)) return false;
    return happening !== "updated" || fields === undefined || event.changedFields.some((name) => fields.has(name));
  };
  return {
    objects: new Set(settings.objects),
    concerns,
    matches: (event) => concerns(event) && (tests.get(event.object)?.(event) ?? false),
  };
}

/** What a trigger watches for; `upserted` is two of them. */
function happeningsOf({ events }: RecordEventSettings): ReadonlySet<Happening> {
  return new Set(events.flatMap((name): Happening[] => (name === "upserted" ? ["created", "updated"] : [name])));
}

function testOf({ condition }: RecordEventSettings, object: CrmObject | undefined): ChangeTest {
  if (condition === undefined) return () => true;
  if (object === undefined) return () => false;
  const { test, issues } = compileChangeTest(condition, { object, at: "condition" });
  return issues.length === 0 ? test : () => refuse(issues);
}

/** Fields and options may go while a trigger is armed: it is not passed over then, but says so. */
function refuse(issues: readonly Issue[]): never {
  throw new Error(issues.map(({ path, message }) => `${path}: ${message}.`).join(" "));
}

/** The fields among these whose values differ. */
export function differing({ before, after }: Transition, fields: Iterable<string>): string[] {
  return [...fields].filter((name) => !sameJson(before?.[name] ?? null, after?.[name] ?? null));
}
