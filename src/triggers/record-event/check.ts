import type { CrmObject } from "../../crm/objects.ts";
import { eventConditionSchema } from "../../definition/conditions.ts";
import { didYouMean } from "../../definition/suggest.ts";
import { holdsExpression } from "../../definition/standing-in.ts";
import { at as placeOf, type Issue } from "../../errors.ts";
import { isJsonObject, textOf, type Json, type JsonObject } from "../../json.ts";
import type { TriggerCheck } from "../trigger-kind.ts";
import { compileChangeTest } from "./condition.ts";

/**
 * What a record trigger names that is not there: objects, fields and options of each of them, workflows.
 * Where an expression stands in the place of a value, only its field is looked at.
 */
export function checkRecordTrigger(settings: JsonObject, context: TriggerCheck): Issue[] {
  const { at } = context;
  const { objects, issues } = findObjects(settings["objects"], context);
  return [
    ...issues,
    ...checkWorkflows(settings["ignoreWritesBy"], context),
    ...checkDelivery(settings, at),
    ...objects.flatMap((object) => [
      ...checkFields(settings["fields"], object, at),
      ...checkCondition(settings["condition"], object, placeOf(at, "condition")),
    ]),
  ].filter(isFirst);
}

/** Several objects may lack the same. */
function isFirst({ path, message }: Issue, position: number, all: readonly Issue[]): boolean {
  return all.findIndex((issue) => issue.path === path && issue.message === message) === position;
}

function findObjects(
  named: Json | undefined,
  { objects, at }: TriggerCheck,
): { objects: CrmObject[]; issues: Issue[] } {
  const names = textsOf(named);
  const known = objects.list().map(({ name }) => name);
  return {
    objects: names.flatMap(({ text }) => objects.find(text) ?? []),
    issues: names.flatMap(({ text, position }) => {
      if (objects.find(text) !== undefined) return [];
      const meant = didYouMean(text, known) || pluralMeant(text, objects.findByPlural(text));
      return [{ path: placeOf(placeOf(at, "objects"), position), message: `unknown object "${text}"${meant}` }];
    }),
  };
}

function pluralMeant(text: string, object: CrmObject | undefined): string {
  return object === undefined || text === "" ? "" : `; did you mean "${object.name}"?`;
}

function checkWorkflows(named: Json | undefined, { workflows, at }: TriggerCheck): Issue[] {
  if (workflows === undefined) return [];
  return textsOf(named).flatMap(({ text, position }) => {
    if (workflows.has(text)) return [];
    const path = placeOf(placeOf(at, "ignoreWritesBy"), position);
    return [{ path, message: `unknown workflow "${text}"${didYouMean(text, workflows)}` }];
  });
}

/** A record that settles is one event, and a list has every event. */
function checkDelivery({ deliver, ownWrites }: JsonObject, at: string): Issue[] {
  if (deliver !== "list" || ownWrites !== "heed") return [];
  const message = "a list cannot heed the workflow's own writes: each of its runs would begin the next list";
  return [{ path: placeOf(at, "ownWrites"), message }];
}

function checkFields(named: Json | undefined, object: CrmObject, at: string): Issue[] {
  return textsOf(named).flatMap(({ text, position }) => {
    if (object.field(text) !== undefined) return [];
    const path = placeOf(placeOf(at, "fields"), position);
    const [first = "", ...rest] = text.split(".");
    if (rest.length > 0 && object.field(first) !== undefined)
      return [{ path, message: `"fields" names whole fields: did you mean "${first}"?` }];
    const relation = object.relation(text);
    const known = object.fields.map(({ name }) => name);
    const meant = relation === undefined ? didYouMean(text, known) : `; did you mean "${relation.name}"?`;
    return [{ path, message: `${object.name} has no field "${text}"${meant}` }];
  });
}

function checkCondition(written: Json | undefined, object: CrmObject, at: string): Issue[] {
  if (written === undefined) return [];
  const parsed = eventConditionSchema.safeParse(withoutExpressions(written));
  return parsed.success ? [...compileChangeTest(parsed.data, { object, at }).issues] : [];
}

/** A leaf whose value is not known yet asks no more than that its field is there. */
function withoutExpressions(node: Json): Json {
  if (!isJsonObject(node)) return node;
  if (holdsExpression(node["value"])) return { field: node["field"] ?? null, operator: "isNotEmpty" };
  return Object.fromEntries(
    Object.entries(node).map(([key, part]) => [
      key,
      key === "value" ? part : Array.isArray(part) ? part.map(withoutExpressions) : withoutExpressions(part),
    ]),
  );
}

/** The texts of a list, expressions left out, with their places. */
function textsOf(list: Json | undefined): Array<{ text: string; position: number }> {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item, position) => {
    const text = textOf(item);
    return text === undefined || holdsExpression(text) ? [] : [{ text, position }];
  });
}
