import { durationMs } from "../../definition/schema.ts";
import type { RecordEvent } from "../../triggers/record-event/event.ts";
import { deepestRun } from "../describe-run.ts";
import type { Listener, Listeners, Listening } from "./listeners.ts";
import type { OutboxEvent } from "./outbox.ts";

/** An event for which a trigger starts a run. */
export interface Match {
  readonly listener: Listener;
  readonly event: OutboxEvent;
  /** Why it cannot be told whether the trigger matches: its run is kept as failed. */
  readonly fault?: string;
}

/** An event of a record that a workflow lets settle before it has a run. */
export interface Settling {
  readonly workflowId: string;
  readonly event: OutboxEvent;
  /** Whether it begins the wait, or lengthens it; else it is only what the record is like by then. */
  readonly counts: boolean;
  readonly debounceMs: number;
}

/** What is to become of events. */
export interface Matched {
  readonly runs: readonly Match[];
  readonly listed: readonly Match[];
  readonly settling: readonly Settling[];
}

/**
 * Matches events with triggers, in one pass. An event and a workflow make one match at most, by the first
 * of its triggers that starts at once; only where none does is the event one of those that settle.
 */
export function matchEvents(events: readonly OutboxEvent[], listeners: Listeners): Matched {
  const matched = { runs: [] as Match[], listed: [] as Match[], settling: [] as Settling[] };
  for (const event of events) {
    for (const listening of listeners.of(event)) {
      const heeding = listening.filter((listener) => !listener.ignores(event.origin));
      const first = firstMatch(heeding.filter(isImmediate), event);
      const match = first === undefined ? undefined : { ...first, event };
      if (match !== undefined) (isListed(match) ? matched.listed : matched.runs).push(match);
      else matched.settling.push(...settlingOf(heeding.filter(isSettling), event));
    }
  }
  return matched;
}

/** The first of a workflow's triggers that matches, or of which that cannot be told. */
export function firstMatch(listening: Listening, event: RecordEvent): Omit<Match, "event"> | undefined {
  for (const listener of listening) {
    try {
      if (listener.trigger.matches(event)) return { listener };
    } catch (error) {
      return { listener, fault: error instanceof Error ? error.message : String(error) };
    }
  }
  return undefined;
}

/** Whether a trigger waits until a record has settled. */
export function isSettling({ settings }: Listener): boolean {
  return settings.debounce !== undefined && settings.deliver === "each";
}

function isImmediate(listener: Listener): boolean {
  return !isSettling(listener);
}

/** What goes too deep is no part of a list: it is stopped by itself. */
function isListed({ listener, fault, event }: Match): boolean {
  const isTooDeep = event.origin !== null && event.origin.depth >= deepestRun;
  return fault === undefined && !isTooDeep && listener.settings.deliver === "list";
}

function settlingOf(listening: Listening, event: OutboxEvent): Settling[] {
  const [first] = listening;
  if (first === undefined) return [];
  const concerned = listening.filter(({ trigger }) => trigger.concerns(event));
  const waits = concerned.map(({ settings }) => durationMs(settings.debounce ?? "0s"));
  return [
    {
      workflowId: first.armed.workflowId,
      event,
      counts: concerned.length > 0,
      debounceMs: Math.max(0, ...waits),
    },
  ];
}
