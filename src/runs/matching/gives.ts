import type { Origin } from "../../crm/objects.ts";
import type { JsonObject } from "../../json.ts";
import { happeningOf, recordOf, type RecordEvent } from "../../triggers/record-event/event.ts";

/** An event as a run's trigger has it. */
export interface GivenEvent extends RecordEvent {
  readonly id: number;
  readonly recordId: string;
  readonly actor: JsonObject;
}

/** What a record trigger gives of an event: the record as of then, and what it was before. */
export function givesOf(event: GivenEvent): JsonObject {
  const { id, object, before, changedFields, actor } = event;
  return {
    object,
    event: happeningOf(event) ?? null,
    record: recordOf(event),
    before,
    changedFields: [...changedFields],
    actor,
    eventId: id,
  };
}

/** The least that can be said of an event: of one that cannot be written down. */
export function plainGivesOf({ id, object, recordId }: GivenEvent): JsonObject {
  return { object, event: null, record: { id: recordId }, before: null, changedFields: [], actor: {}, eventId: id };
}

/** Why a run is kept without what happened. */
export const unwritable = "what happened could not be written down.";

/** Of two origins the deeper one. */
export function deeper(a: Origin | null, b: Origin | null): Origin | null {
  if (a === null || b === null) return a ?? b;
  return b.depth > a.depth ? b : a;
}
