import { isJsonObject, type Json, type JsonObject } from "../../json.ts";

/** What happens to records, as triggers name it; `upserted` is short for created and updated. */
export const eventNames = ["created", "updated", "deleted", "restored", "upserted"] as const;

/** What an event is to a trigger. */
export type Happening = Exclude<(typeof eventNames)[number], "upserted">;

/** A change of a record: from a state to a state, of which null is that there was no record. */
export interface Transition {
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
}

/** A record event, as triggers look at it. */
export interface RecordEvent extends Transition {
  readonly object: string;
  readonly changedFields: readonly string[];
}

/**
 * What a change comes to: the same for one event and for several in a row. Undefined: to nothing, as
 * where a record comes and goes, or where one that was only marked as deleted is destroyed.
 */
export function happeningOf({ before, after }: Transition): Happening | undefined {
  const [was, is] = [isThere(before), isThere(after)];
  if (was && is) return "updated";
  if (was) return "deleted";
  if (!is) return undefined;
  return before === null ? "created" : "restored";
}

/** Whether a state is that of a record which is not deleted. */
function isThere(state: JsonObject | null): state is JsonObject {
  return state !== null && (state["deletedAt"] ?? null) === null;
}

/** The record as of the event: as it is then, or, where it is destroyed, as it was. */
export function recordOf({ before, after }: Transition): JsonObject {
  return after ?? before ?? {};
}

/** What a state has at a path of a field and, of a composite, its sub-field; null where it has nothing. */
export function valueAt(state: JsonObject | null, [name = "", sub]: readonly string[]): Json {
  const value = own(state, name);
  return sub === undefined ? value : own(value, sub);
}

function own(value: Json, key: string): Json {
  return isJsonObject(value) && Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}
